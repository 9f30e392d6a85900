"""What travels in headers arrives, and what is not ours stays as it was."""

from __future__ import annotations

from support.delivery import outgoing

from trickle.relay.headers import inbound, outbound


def test_what_goes_out_comes_in() -> None:
    message = outgoing(1, key="k", headers={"traceparent": "00-ab", "CONTENT-TYPE": "x", "trickle-key": "y"})
    carried = outbound(message)
    assert carried == {"traceparent": "00-ab", "Content-Type": "application/json", "Trickle-Key": "k"}
    arrival = inbound({name.lower(): value for name, value in carried.items()})
    assert (arrival.key, arrival.content_type, arrival.event_id) == ("k", "application/json", None)
    assert arrival.headers == {"traceparent": "00-ab"}


def test_a_message_without_a_key_has_none() -> None:
    assert "Trickle-Key" not in outbound(outgoing(1))
    assert inbound({}).key is None


def test_types_of_events_have_several_names() -> None:
    assert inbound({"Trickle-Event-Type": "a", "ce-type": "b"}).event_type == "a"
    assert inbound({"ce-type": "b"}).event_type == "b"
    assert inbound({"ce_type": "c"}).event_type == "c"
    assert inbound({"event_type": "d", "type": "e"}).event_type == "d"
    assert inbound({"type": "e"}).event_type == "e"
    assert inbound({"kind": "f"}).event_type is None
