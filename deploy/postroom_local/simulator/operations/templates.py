"""Stored templates."""

from collections.abc import Mapping
from typing import Any

from postroom_local.simulator.pages import page
from postroom_local.simulator.requests import CreateTemplate, InlineTemplate, UpdateTemplate, parsed
from postroom_local.simulator.routing import Call, Route
from postroom_local.simulator.ses import SimulatedSes
from postroom_local.simulator.ses_errors import already_exists, bad_request, template_not_found
from postroom_local.simulator.templates import Template


def create_email_template(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_CreateEmailTemplate.html."""
    request = parsed(call.body, CreateTemplate)
    name = request.template_name
    if name in ses.templates:
        raise already_exists(f"Template {name} already exists.")
    ses.templates[name] = _template(name, request.template_content, created_at=ses.clock())
    return {}


def get_email_template(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailTemplate.html."""
    template = _named(ses, call)
    parts = {"Subject": template.subject, "Text": template.text, "Html": template.html}
    return {
        "TemplateName": template.name,
        "TemplateContent": {name: part for name, part in parts.items() if part is not None},
    }


def update_email_template(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_UpdateEmailTemplate.html."""
    old = _named(ses, call)
    content = parsed(call.body, UpdateTemplate).template_content
    ses.templates[old.name] = _template(old.name, content, created_at=old.created_at)
    return {}


def delete_email_template(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_DeleteEmailTemplate.html."""
    del ses.templates[_named(ses, call).name]
    return {}


def list_email_templates(ses: SimulatedSes, call: Call) -> Mapping[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListEmailTemplates.html."""
    shown, token = page(list(ses.templates.values()), token=call.query_value("NextToken"), size=call.page_size())
    listed = [{"TemplateName": each.name, "CreatedTimestamp": each.created_at} for each in shown]
    return {"TemplatesMetadata": listed, "NextToken": token}


def _named(ses: SimulatedSes, call: Call) -> Template:
    name = call.path["TemplateName"]
    template = ses.templates.get(name)
    if template is None:
        raise template_not_found(name)
    return template


def _template(name: str, content: InlineTemplate, *, created_at: float) -> Template:
    if content.subject is None:
        raise bad_request("The template must have a subject.")
    return Template(name=name, subject=content.subject, text=content.text, html=content.html, created_at=created_at)


_ONE = "/templates/{TemplateName}"

ROUTES = (
    Route(name="CreateEmailTemplate", method="POST", path="/templates", operation=create_email_template),
    Route(name="ListEmailTemplates", method="GET", path="/templates", operation=list_email_templates),
    Route(name="GetEmailTemplate", method="GET", path=_ONE, operation=get_email_template),
    Route(name="UpdateEmailTemplate", method="PUT", path=_ONE, operation=update_email_template),
    Route(name="DeleteEmailTemplate", method="DELETE", path=_ONE, operation=delete_email_template),
)
