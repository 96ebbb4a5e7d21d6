"""Names that a language has without an import, and that no repository defines. A table; used by `names`.

Rules: data. Keywords are not here: to a parser they are no names. A language without a row has none, so that its
names are asked of the repository, which mostly uses them too.
"""

import builtins
from functools import cache

_SCRIPT = """Array ArrayBuffer Boolean Buffer Date Error Event Function Infinity Intl JSON Map Math NaN Number
Object Promise
Proxy RangeError Reflect RegExp Set String Symbol TypeError URL URLSearchParams WeakMap WeakSet BigInt
Uint8Array AbortController AbortSignal Headers Request Response FormData Blob File TextDecoder TextEncoder
HTMLElement Element Node console document window globalThis process module exports require fetch setTimeout
clearTimeout setInterval clearInterval queueMicrotask structuredClone parseInt parseFloat isNaN isFinite
encodeURIComponent decodeURIComponent undefined arguments __dirname __filename constructor describe test expect"""
_TYPES = """any boolean number string unknown never void object symbol bigint Record Partial Required Readonly
Pick Omit
Exclude Extract NonNullable Parameters ReturnType InstanceType Awaited ReadonlyArray Iterable Iterator
AsyncIterable PromiseLike ArrayLike ThisType JSX React"""
_C = """NULL FILE stdin stdout stderr EOF errno size_t ssize_t ptrdiff_t int8_t int16_t int32_t int64_t uint8_t
uint16_t
uint32_t uint64_t intptr_t uintptr_t bool true false va_list va_start va_end va_arg assert malloc calloc realloc
free memcpy memmove memset memcmp strlen strcmp strncmp strcpy strncpy strcat strchr strrchr strstr strdup
strtol strtoul strtod atoi printf fprintf sprintf snprintf vsnprintf puts fputs fopen fclose fread fwrite fgets
getc putc scanf sscanf exit abort perror qsort isdigit isalpha isspace tolower toupper INT_MAX INT_MIN SIZE_MAX
UINT_MAX main"""
_JVM = """String Object Integer Long Double Float Boolean Character Byte Short Number Math System Thread Runnable
Exception RuntimeException IllegalArgumentException IllegalStateException NullPointerException
UnsupportedOperationException IndexOutOfBoundsException Throwable Error Iterable Comparable CharSequence
StringBuilder Override Deprecated FunctionalInterface SuppressWarnings SafeVarargs Class Void Enum Record
Process List Set Map"""
_ROWS: dict[str, str] = {
    "python": f"{' '.join(dir(builtins))} self cls __name__ __file__ __all__",
    "javascript": _SCRIPT,
    "typescript": f"{_SCRIPT} {_TYPES}",
    "tsx": f"{_SCRIPT} {_TYPES}",
    "c": _C,
    "cpp": f"{_C} std string vector map set pair unique_ptr shared_ptr make_unique make_shared move cout cerr endl",
    "objc": f"{_C} NSString NSArray NSDictionary NSNumber NSObject NSError NSLog YES NO nil",
    "java": _JVM,
    "kotlin": f"""{_JVM} Any Unit Nothing Int listOf mutableListOf mapOf mutableMapOf setOf arrayOf println
print require
check error let run apply also with lazy emptyList it""",
    "scala": f"{_JVM} Any Unit Nothing Int Option Some None Seq Vector Future println Array Either Left Right",
    "csharp": """String Object Console Math List Dictionary Task Exception ArgumentException DateTime Guid
Enumerable var
InvalidOperationException Func Action IEnumerable nameof""",
    "go": """append cap clear close complex copy delete imag len make max min new panic print println real recover
any bool byte comparable error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16
uint32 uint64 uintptr true false nil iota""",
    "rust": """Some None Ok Err Option Result Vec String Box Rc Arc Self Default Clone Copy Debug Iterator From Into
AsRef Drop Send Sync Sized Fn FnMut FnOnce ToString PartialEq Eq PartialOrd Ord Hash bool char str usize
isize u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 vec println print eprintln eprint format write
writeln panic assert assert_eq assert_ne matches todo unimplemented unreachable include_str env concat
derive cfg test allow""",
    "ruby": """puts print require require_relative raise attr_accessor attr_reader attr_writer private
protected public
Array Hash String Integer Float Symbol Struct Class Module Kernel StandardError ArgumentError lambda
proc loop format include extend freeze nil""",
    "php": "array count strlen isset empty is_array is_string in_array implode explode sprintf Exception",
    "lua": """print pairs ipairs type tostring tonumber require setmetatable getmetatable table string math error
assert pcall""",
    "swift": "String Int Double Bool Array Dictionary Set Optional Any Error Void print fatalError precondition",
    "bash": "echo printf read cd test exit export set shift trap source eval exec true false",
}


@cache
def builtins_of(language: str) -> frozenset[str]:
    """The names that every file of a language has; none for a language without a row."""
    return frozenset(_ROWS.get(language, "").split())
