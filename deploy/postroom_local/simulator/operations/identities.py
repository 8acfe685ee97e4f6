"""Identities: domains and addresses that may send."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from postroom_local.simulator.identities import Identity, MailFrom
from postroom_local.simulator.pages import page
from postroom_local.simulator.requests import (
    CreateEmailIdentity,
    PageRequest,
    PutDefaultConfigurationSet,
    PutMailFrom,
    parsed,
)
from postroom_local.simulator.routing import Call, Route
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import (
    already_exists,
    bad_request,
    configuration_set_not_found,
    not_found,
)

#: Easy DKIM publishes three keys. https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim-easy.html
_DKIM_TOKENS = 3
_DKIM_HOSTED_ZONE = "dkim.amazonses.com"


def create_email_identity(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateEmailIdentity.html."""
    request = parsed(call.body, CreateEmailIdentity)
    name = request.email_identity
    if ses.identities.get(name) is not None:
        raise already_exists(f"Email identity {name} already exist.")
    _require_configuration_set(ses, request.configuration_set_name)
    is_domain = "@" not in name
    identity = Identity(
        name=name,
        verified=ses.account.identities_verify_themselves,
        dkim_tokens=tuple(_dkim_token(ses) for _ in range(_DKIM_TOKENS)) if is_domain else (),
        configuration_set=request.configuration_set_name,
    )
    ses.identities.put(identity)
    return {
        "IdentityType": identity.type,
        "VerifiedForSendingStatus": identity.verified,
        "DkimAttributes": _dkim_attributes(identity),
    }


def get_email_identity(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html."""
    identity = _identity(ses, call)
    answer: dict[str, Any] = {
        "IdentityType": identity.type,
        "FeedbackForwardingStatus": True,
        "VerifiedForSendingStatus": identity.verified,
        "VerificationStatus": _verification_status(identity),
        "DkimAttributes": _dkim_attributes(identity),
        "MailFromAttributes": _mail_from_attributes(identity.mail_from),
        "Policies": {},
        "Tags": [],
    }
    if identity.configuration_set is not None:
        answer["ConfigurationSetName"] = identity.configuration_set
    return answer


def list_email_identities(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListEmailIdentities.html."""
    request = parsed(call.body, PageRequest)
    shown, token = page(ses.identities.all(), token=request.next_token, size=request.page_size)
    listed = [
        {
            "IdentityType": identity.type,
            "IdentityName": identity.name,
            "SendingEnabled": identity.verified,
            "VerificationStatus": _verification_status(identity),
        }
        for identity in shown
    ]
    return {"EmailIdentities": listed, "NextToken": token}


def delete_email_identity(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteEmailIdentity.html."""
    ses.identities.remove(_identity(ses, call).name)
    return {}


def put_mail_from(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutEmailIdentityMailFromAttributes.html."""
    identity = _identity(ses, call)
    request = parsed(call.body, PutMailFrom)
    domain = request.mail_from_domain
    if not domain:
        ses.identities.put(replace(identity, mail_from=None))
        return {}
    if not domain.lower().endswith("." + identity.name.rpartition("@")[2].lower()):
        raise bad_request(f"Provided MAIL-FROM domain <{domain}> is not subdomain of the domain of the identity.")
    mail_from = MailFrom(
        domain=domain,
        status="SUCCESS" if ses.account.identities_verify_themselves else "PENDING",
        behavior_on_mx_failure=request.behavior_on_mx_failure,
    )
    ses.identities.put(replace(identity, mail_from=mail_from))
    return {}


def put_default_configuration_set(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_PutEmailIdentityConfigurationSetAttributes.html."""
    identity = _identity(ses, call)
    name = parsed(call.body, PutDefaultConfigurationSet).configuration_set_name
    _require_configuration_set(ses, name)
    ses.identities.put(replace(identity, configuration_set=name))
    return {}


def _identity(ses: SimulatedSes, call: Call) -> Identity:
    name = call.path["EmailIdentity"]
    identity = ses.identities.get(name)
    if identity is None:
        raise not_found(f"Email identity {name} does not exist.")
    return identity


def _require_configuration_set(ses: SimulatedSes, name: str | None) -> None:
    if name is not None and name not in ses.configuration_sets:
        raise configuration_set_not_found(name)


def _dkim_token(ses: SimulatedSes) -> str:
    return "".join(ses.random.choices("abcdefghijklmnopqrstuvwxyz234567", k=32))


def _verification_status(identity: Identity) -> str:
    return "SUCCESS" if identity.verified else "PENDING"


def _dkim_attributes(identity: Identity) -> Mapping[str, Any]:
    if not identity.dkim_tokens:
        return {"SigningEnabled": False, "Status": "NOT_STARTED"}
    return {
        "SigningEnabled": True,
        "Status": _verification_status(identity),
        "Tokens": list(identity.dkim_tokens),
        "SigningHostedZone": _DKIM_HOSTED_ZONE,
        "SigningAttributesOrigin": "AWS_SES",
        "NextSigningKeyLength": "RSA_2048_BIT",
        "CurrentSigningKeyLength": "RSA_2048_BIT",
    }


def _mail_from_attributes(mail_from: MailFrom | None) -> Mapping[str, Any]:
    if mail_from is None:
        return {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"}
    return {
        "MailFromDomain": mail_from.domain,
        "MailFromDomainStatus": mail_from.status,
        "BehaviorOnMxFailure": mail_from.behavior_on_mx_failure,
    }


_ONE = "/identities/{EmailIdentity}"

ROUTES = (
    Route(name="CreateEmailIdentity", method="POST", path="/identities", operation=create_email_identity),
    Route(name="ListEmailIdentities", method="POST", path="/list-identities", operation=list_email_identities),
    Route(name="GetEmailIdentity", method="GET", path=_ONE, operation=get_email_identity),
    Route(name="DeleteEmailIdentity", method="DELETE", path=_ONE, operation=delete_email_identity),
    Route(name="PutEmailIdentityMailFromAttributes", method="PUT", path=f"{_ONE}/mail-from", operation=put_mail_from),
    Route(
        name="PutEmailIdentityConfigurationSetAttributes",
        method="PUT",
        path=f"{_ONE}/configuration-set",
        operation=put_default_configuration_set,
    ),
)
