"""The wire: AgentStream messages, their codec and the audio they carry. Pure; no Trio, no clock, no logging."""
