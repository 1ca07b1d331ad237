# The settings of a Ruby configuration, one a line: "set NAME VALUE" where both are literals, else "raw NAME TEXT", and
# "raw - TEXT" for what names no setting. VALUE is the same however it is written. For the awks of old: no classes, no
# intervals, no apostrophe (the whole stands in apostrophes).
function blanks() { while (P <= N && index(" \t", substr(T, P, 1))) P++ }
function space() {
    while (P <= N && index(" \t\n#", substr(T, P, 1))) {
        if (substr(T, P, 1) == "#") while (P <= N && substr(T, P, 1) != "\n") P++
        else P++
    }
}
function fail(why) { if (ERR == "") ERR = why; return "" }
function quoted(end, cooked,    out, c) {
    for (out = ""; P <= N; P++) {
        c = substr(T, P, 1)
        if (c == end) { P++; return out }
        if (cooked && c == "#" && index("{@$", substr(T, P + 1, 1) "")) { if (P < N) return fail("raw") }
        if (c == "\\") {
            if (P == N) break
            c = substr(T, ++P, 1)
            if (!cooked) { if (c != end && c != "\\") out = out "\\" }
            else if (c == "n") c = "\n"
            else if (c == "t") c = "\t"
            else if (c == "s") c = " "
            else if (c == "\n") c = ""
            else if (index("abefrvxuMCc01234567", c)) return fail("raw")
        }
        out = out c
    }
    return fail("more")
}
function item(v) { return length(v) ":" v }
function list(    out, c, v, seen, n, i, j, all) {
    for (n = 0; ; ) {
        space()
        if (P > N) return fail("more")
        if (substr(T, P, 1) == "]") { P++; break }
        v = value()
        if (ERR != "") return ""
        all[++n] = v
        space()
        c = substr(T, P, 1)
        if (P > N) return fail("more")
        if (c == ",") P++
        else if (c != "]") return fail("raw")
    }
    return join(all, n)
}
function join(all, n,    i, j, v, out) {
    if (ANY_ORDER) for (i = 2; i <= n; i++) {
        v = all[i]
        for (j = i - 1; j > 0 && all[j] "" > v ""; j--) all[j + 1] = all[j]
        all[j + 1] = v
    }
    for (i = 1; i <= n; i++) if (!ANY_ORDER || i == 1 || all[i] "" != all[i - 1] "") out = out item(all[i])
    return "\002[" out "]"
}
function hash(    out, k, v, n, i, j, all) {
    for (n = 0; ; ) {
        space()
        if (P > N) return fail("more")
        if (substr(T, P, 1) == "}") { P++; break }
        if (match(substr(T, P), /^[A-Za-z_][A-Za-z0-9_]*:[^:]/)) { k = substr(T, P, RLENGTH - 2); P += RLENGTH - 1 }
        else {
            k = value()
            if (ERR != "") return ""
            space()
            if (substr(T, P, 2) == "=>") P += 2
            else if (substr(T, P, 1) == ":") P++
            else return fail(P > N ? "more" : "raw")
        }
        space()
        v = value()
        if (ERR != "") return ""
        v = item(k) item(v)
        for (j = n++; j > 0 && all[j] "" > v ""; j--) all[j + 1] = all[j]
        all[j + 1] = v
        space()
        if (P > N) return fail("more")
        if (substr(T, P, 1) == ",") P++
        else if (substr(T, P, 1) != "}") return fail("raw")
    }
    for (i = 1; i <= n; i++) out = out all[i]
    return "\002{" out "}"
}
function percent(    kind, end, v, n, i, all) {
    kind = "Q"
    P++
    if (match(substr(T, P, 1), /[A-Za-z]/)) kind = substr(T, P++, 1)
    if (P > N || !index("wWiIqQ", kind) || match(substr(T, P, 1), /[A-Za-z0-9 \t]/)) return fail("raw")
    end = substr(T, P++, 1)
    if (index("([{<", end)) end = substr(")]}>", index("([{<", end), 1)
    v = quoted(end, index("QWI", kind))
    if (ERR != "" || index("qQ", kind)) return v
    n = split(v, all, /[ \t\n]+/)
    if (n && all[n] == "") n--
    if (n && all[1] == "") { for (i = 1; i < n; i++) all[i] = all[i + 1]; n-- }
    return join(all, n)
}
function value(    c, v) {
    if (P > N) return fail("more")
    c = substr(T, P, 1)
    if (c == "\"" || c == Q) { P++; return quoted(c, c == "\"") }
    if (c == "[") { P++; return list() }
    if (c == "{") { P++; return hash() }
    if (c == "%") return percent()
    if (c == ":") {
        c = substr(T, ++P, 1)
        if (c == "\"" || c == Q) { P++; return quoted(c, c == "\"") }
        if (!match(substr(T, P), /^[A-Za-z_][A-Za-z0-9_]*[?!]?/)) return fail("raw")
        v = substr(T, P, RLENGTH)
        P += RLENGTH
        return v
    }
    if (!match(substr(T, P), /^[-+]?[A-Za-z0-9_.]+/)) return fail("raw")
    v = substr(T, P, RLENGTH)
    P += RLENGTH
    if (v == "true" || v == "false" || v == "nil") return v
    sub(/^[+]/, "", v)
    if (v !~ /^-?[0-9]+(_[0-9]+)*([.][0-9]+)?$/ || v ~ /^-?0[0-9]/) return fail("raw")
    gsub(/_/, "", v)
    if (index(v, ".")) { sub(/0+$/, "", v); sub(/[.]$/, ".0", v) }
    return v == "-0" ? "0" : v
}
# A list that stands in quotes is a list: so gen-sample-backend-config writes it.
function opened(v,    t, p, n, out) {
    if (v !~ /^\[/) return v
    t = T; p = P; n = N
    T = v; P = 2; N = length(T)
    out = list()
    if (ERR != "" || P <= N) { ERR = ""; out = v }
    T = t; P = p; N = n
    return out
}
function name(    part, out) {
    out = ""
    if (!match(substr(T, P), /^[a-z_][a-z0-9_]*/)) return "-"
    do {
        part = substr(T, P, RLENGTH)
        P += RLENGTH
        gsub(/[^a-z0-9_]/, "", part)
        out = out (out == "" ? "" : ".") part
    } while (match(substr(T, P), /^[.][a-z_][a-z0-9_]*|^\[[\042\047:][a-z_][a-z0-9_]*[\042\047]?\]/))
    if (index(out, ".") || index(TOP, " " out " ")) return length(out) > 200 ? "-" : out
    return "-"
}
# One statement at P: NAME, KIND and VALUE. P then stands behind it.
function statement(    c, closing, n, all, start) {
    ERR = ""; KIND = "raw"; VALUE = ""
    NAME = name()
    if (NAME == "-" || match(substr(T, P), /^[A-Za-z0-9_?!:\[]/)) { NAME = "-"; return }
    ANY_ORDER = NAME ~ /(cidr_addresses|disk_paths|^peers)$/
    blanks()
    c = substr(T, P, 1)
    if (c == "=" && substr(T, P + 1, 1) !~ /[=~>]/) { P++; space() }
    else if (c == "(") { P++; closing = 1; space() }
    if (P > N && c != "=" && !closing) return
    if (substr(T, P, 2) == "<<") { ERR = "here"; return }
    VALUE = value()
    if (ERR == "" && substr(T, P, 7) == ".freeze") P += 7
    for (n = 1; ERR == ""; ) {
        blanks()
        if (closing) space()
        if (substr(T, P, 1) != ",") break
        all[n++] = VALUE
        P++
        space()
        VALUE = value()
    }
    if (ERR != "") return
    if (n > 1) { all[n] = VALUE; VALUE = join(all, n) }
    else VALUE = opened(VALUE)
    if (closing) {
        space()
        if (P > N) { ERR = "more"; return }
        if (substr(T, P++, 1) != ")") { ERR = "raw"; return }
        blanks()
    }
    if (P <= N && !index(";#\n", substr(T, P, 1))) { ERR = "raw"; return }
    KIND = "set"
}
# The text of a heredoc that begins in line I, with the lines up to its end.
function heredoc(text,    rest, here, n) {
    rest = substr(T, P + 2)
    if (!match(rest, /^[-~]?[\042\047]?[A-Za-z_][A-Za-z0-9_]*/)) return text
    here = substr(rest, 1, RLENGTH)
    gsub(/[-~\042\047]/, "", here)
    for (n = I + 1; n <= LINES; n++) {
        text = text "\n" LINE[n]
        if (folded(LINE[n]) == here) { I = n; break }
    }
    return text
}
function say(kind, own, text) {
    if (++SAID > MOST) { if (SAID == MOST + 1) print "more"; return }
    gsub(/\n/, "\003", text)
    print kind, own, text
}
function folded(text) { gsub(/[ \t]+/, " ", text); sub(/^ /, "", text); sub(/ $/, "", text); return text }
# By how much a line of Ruby logic nests deeper.
function deeper(line,    opens, n) {
    gsub(/"[^"]*"/, "", line)
    gsub(/\047[^\047]*\047/, "", line)
    sub(/#.*/, "", line)
    opens = line ~ /^[ \t]*(if|unless|case|while|until|for|begin|def|class|module)([ \t(;]|$)/ || \
        line ~ /=[ \t]*(if|unless|case|begin|while)([ \t(]|$)/ || line ~ /[ \t]do([ \t]*[|][^|]*[|])?[ \t]*$/
    opens += gsub(/\{/, "", line)
    n = gsub(/\}/, "", line)
    gsub(/[;.()]/, " ", line)
    line = " " line " "
    while (sub(/[ \t]end[ \t]/, " ", line)) n++
    return opens - n
}
# One line of Ruby logic. Where it begins with a setting, nobody knows whether that holds.
function logic(text,    own) {
    own = "-"
    P = 1
    blanks()
    if (!match(substr(T, P), KEYWORD)) own = name()
    say("raw", own, folded(text))
    DEPTH += deeper(text)
    if (DEPTH < 0) DEPTH = 0
}
# The statements of line I; one that goes on in the next lines takes them along.
function read(    rest, last) {
    T = LINE[I]
    N = length(T)
    if (DEPTH > 0) { if (folded(T) !~ /^(#|$)/) logic(T); return }
    for (P = 1; ; ) {
        while (P <= N && index(" \t;\n", substr(T, P, 1))) P++
        if (P > N || substr(T, P, 1) == "#") return
        rest = substr(T, P)
        if (!match(rest, KEYWORD)) {
            statement()
            for (last = I; ERR == "more" && last < LINES && last < I + JOINED; ) {
                T = (last == I ? rest : T) "\n" LINE[++last]
                N = length(T)
                P = 1
                statement()
            }
            if (ERR == "here") { say("raw", NAME, heredoc(rest)); return }
            if (ERR == "" && KIND == "set") { I = last; say("set", NAME, VALUE); continue }
            if (deeper(rest) <= 0) { say("raw", NAME, folded(rest)); return }
        }
        T = rest
        N = length(T)
        logic(rest)
        return
    }
}
BEGIN {
    Q = "\047"
    JOINED = 100
    TOP = " fqdn hide_sensitive ip_version publish_address vip vip_interface peers "
    KEYWORD = "^(if|unless|else|elsif|end|case|when|while|until|for|begin|rescue|ensure|def|class|module|require|require_relative|load|return|raise|puts|then|do|not|and|or|alias|undef|yield|in)([^A-Za-z0-9_.]|$)"
}
NR == 1 { sub(/^\357\273\277/, "") }
{ sub(/\r$/, "") }
/^__END__$/ { DONE = 1 }
DONE { next }
/^=begin([ \t]|$)/ { COMMENT = 1 }
COMMENT { if ($0 ~ /^=end([ \t]|$)/) COMMENT = 0; next }
{ LINE[++LINES] = $0 }
END { for (I = 1; I <= LINES; I++) read() }
