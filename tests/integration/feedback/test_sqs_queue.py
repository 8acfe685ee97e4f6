"""The SQS adapter, on the real wire protocol."""

import pytest
from aiobotocore.session import get_session

from postroom_local.aws_account import REGION
from postroom_worker.adapters.sns import SnsTopicSubscriptions
from postroom_worker.adapters.sqs import MAX_MESSAGES, open_feedback_queue
from postroom_worker.feedback_ports import FeedbackQueueError


async def test_a_queue_is_opened_by_name_and_by_url(sqs, aws):
    queue_url = await sqs.create()
    for name in (queue_url, queue_url.rsplit("/", 1)[1]):
        async with open_feedback_queue(aws, queue=name, polls=1, region_name=REGION, wait_seconds=0) as queue:
            await sqs.send(queue_url, ["hello"])
            [message] = await queue.receive()
            assert (message.body, message.receive_count) == ("hello", 1)
            assert await queue.delete([message]) == []


async def test_a_queue_that_does_not_exist_is_an_error_that_names_it(sqs, aws):
    with pytest.raises(FeedbackQueueError, match=r"NonExistentQueue|QueueDoesNotExist"):
        async with open_feedback_queue(aws, queue="nowhere", polls=1, region_name=REGION):
            pass


async def test_received_messages_are_hidden_until_they_are_shown_again(sqs, aws):
    queue_url = await sqs.create()
    await sqs.send(queue_url, [str(n) for n in range(3)])
    async with open_feedback_queue(aws, queue=queue_url, polls=1, region_name=REGION, wait_seconds=0) as queue:
        messages = await queue.receive()
        assert len(messages) <= MAX_MESSAGES
        assert await queue.receive() == []
        await queue.hide(messages, seconds=0)
        again = await queue.receive()
        assert {message.message_id for message in again} == {message.message_id for message in messages}
        assert {message.receive_count for message in again} == {2}
        assert await queue.delete(again) == []
        assert await queue.receive() == []


async def test_an_answer_that_cannot_be_had_is_a_queue_error(unused_port, monkeypatch, credentials):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{unused_port}")
    url = f"http://127.0.0.1:{unused_port}/111122223333/q"
    async with open_feedback_queue(get_session(), queue=url, polls=1, region_name=REGION) as queue:
        for call in (queue.receive(), queue.delete([]), queue.hide([], seconds=1)):
            with pytest.raises(FeedbackQueueError):
                await call


async def test_messages_that_sqs_did_not_delete_are_returned(sqs, aws):
    queue_url = await sqs.create()
    await sqs.send(queue_url, ["one", "two"])
    async with open_feedback_queue(aws, queue=queue_url, polls=1, region_name=REGION, wait_seconds=0) as queue:
        messages = await queue.receive()
        while len(messages) < 2:
            messages += await queue.receive()

        class Refusing:
            async def delete_message_batch(self, *, QueueUrl, Entries):  # noqa: N803  botocore's own names
                failed = [{"Id": Entries[1]["Id"], "Code": "InternalError", "SenderFault": False}]
                return {"Successful": [{"Id": Entries[0]["Id"]}], "Failed": failed}

        queue._client = Refusing()
        assert await queue.delete(messages) == [messages[1]]


async def test_a_subscription_that_sns_does_not_confirm_is_a_queue_error(sns):
    subscriptions = SnsTopicSubscriptions(sns)
    with pytest.raises(FeedbackQueueError):
        await subscriptions.confirm(topic_arn="arn:aws:sns:eu-west-1:111122223333:nowhere", token="none")
