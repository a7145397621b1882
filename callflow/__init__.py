"""callflow: telephone call flows for Exotel AgentStream, on Trio.

Write states as classes, make a ``Flow`` of them, and serve it. Everything a flow needs is imported from here.
"""

from callflow.errors import (
    AudioError,
    CallEnded,
    CallflowError,
    FlowDefinitionError,
    FlowError,
    ServiceMissing,
    SettingsError,
    UndeclaredMove,
)
from callflow.flow.call import Call, TapCall
from callflow.flow.collect import CollectDigits
from callflow.flow.confirm import Confirm
from callflow.flow.facts import EndedCall, LimitNear, Previous, Resumed, Started
from callflow.flow.flow import Flow
from callflow.flow.hangup import Hangup
from callflow.flow.keys import Again, Failed
from callflow.flow.listening import CallerAudio, Speech
from callflow.flow.marks import activity, key, on
from callflow.flow.menu import Menu
from callflow.flow.playback import Playback, Speaker
from callflow.flow.prompts import Prompt
from callflow.flow.record import Record
from callflow.flow.recording import Recording, RecordingEnd
from callflow.flow.say import Say
from callflow.flow.secret import Secret
from callflow.flow.state import State
from callflow.flow.subflow import Done, GaveUp, SubFlow
from callflow.flow.tap import Tap
from callflow.flow.verdict import StreamTo, Verdict
from callflow.session.inputs import EndCause, EndedBy
from callflow.session.playout import Fate, Heard
from callflow.wire.messages import Dtmf
from callflow.wire.passthru import PassthruReport
from callflow.wire.speech import Sensitivity, SpeechDetector
from callflow.wire.status import StatusReport

__all__ = [
    # A flow and its states
    "Flow",
    "State",
    "Say",
    "Menu",
    "CollectDigits",
    "Confirm",
    "Record",
    "SubFlow",
    "Done",
    "GaveUp",
    "Tap",
    "Hangup",
    "Again",
    "Prompt",
    "key",
    "on",
    "activity",
    # What handlers are given
    "Call",
    "TapCall",
    "Started",
    "Previous",
    "Resumed",
    "LimitNear",
    "Dtmf",
    "Failed",
    "Secret",
    "Speech",
    "Playback",
    "Speaker",
    "CallerAudio",
    "Heard",
    "Fate",
    "Recording",
    "RecordingEnd",
    "EndedCall",
    "EndCause",
    "EndedBy",
    # Hearing
    "Sensitivity",
    "SpeechDetector",
    # Before and after the stream
    "PassthruReport",
    "Verdict",
    "StreamTo",
    "StatusReport",
    # What can be wrong
    "CallflowError",
    "FlowError",
    "FlowDefinitionError",
    "UndeclaredMove",
    "ServiceMissing",
    "AudioError",
    "CallEnded",
    "SettingsError",
]
