"""PowerShell remoting (PSRP, [MS-PSRP]) over WinRM: one runspace pool, one pipeline, one script, its output as text.

`clixml` writes and reads the objects, `messages` says what we tell a server and what of its words matters,
`fragments` cuts messages to size and joins them, `envelopes` is the SOAP around it ([MS-PSRP] 3.1.5.3, [MS-WSMV]), and
`conversation` is the order of it all. Nothing but the standard library is needed, and none of it opens a socket.
"""
