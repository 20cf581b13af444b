// What functions CEL and Kubernetes' libraries for it have, and what they take and give: those of rules in definitions, of
// kube-apiserver 1.36. Facts of cel-go 0.26 (standard library, strings 2, sets, lists 3, two-variable loops, optionals) and of
// apiserver's cel/library and cel/environment.
import { type CelType, listType, mapType, optionalType, paramType, simpleType, structType } from './cel-types.ts'

export interface Overload {
  /** `.contains(string, string)` of a method, `size(string)` of a function: the receiver is the first of the types. */
  readonly id: string
  readonly isMethod: boolean
  readonly takes: readonly CelType[]
  readonly gives: CelType
}

const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes']
const summable = ['int', 'uint', 'double', 'duration']
const numbers = ['int', 'uint', 'double']

const each = (types: readonly string[], text: string) => types.map(type => text.replaceAll('T', type)).join('; ')

const order = [
  each(comparable, '(T, T) bool'),
  ...numbers.flatMap(left => numbers.filter(right => right !== left).map(right => `(${left}, ${right}) bool`)),
].join('; ')

const timePart = 'timestamp.() int; timestamp.(string) int'
const timeOrDurationPart = `${timePart}; duration.() int`

/** A line a name. A receiver stands before the dot; one capital letter is any type. */
const table = `
_?_:_: (bool, A, A) A
_&&_: (bool, bool) bool
_||_: (bool, bool) bool
!_: (bool) bool
@not_strictly_false: (bool) bool
_==_: (A, A) bool
_!=_: (A, A) bool
_+_: (bytes, bytes) bytes; (double, double) double; (duration, duration) duration; (duration, timestamp) timestamp; (timestamp, duration) timestamp; (int, int) int; (list(A), list(A)) list(A); (string, string) string; (uint, uint) uint
_-_: (double, double) double; (duration, duration) duration; (int, int) int; (timestamp, duration) timestamp; (timestamp, timestamp) duration; (uint, uint) uint
_*_: (double, double) double; (int, int) int; (uint, uint) uint
_/_: (double, double) double; (int, int) int; (uint, uint) uint
_%_: (int, int) int; (uint, uint) uint
-_: (double) double; (int) int
_<_: ${order}
_<=_: ${order}
_>_: ${order}
_>=_: ${order}
_[_]: (list(A), int) A; (map(A, B), A) B; (optional_type(list(V)), int) optional_type(V); (optional_type(map(K, V)), K) optional_type(V)
_[?_]: (list(V), int) optional_type(V); (optional_type(list(V)), int) optional_type(V); (map(K, V), K) optional_type(V); (optional_type(map(K, V)), K) optional_type(V)
_?._: (dyn, string) optional_type(V)
@in: (A, list(A)) bool; (A, map(A, B)) bool
size: (bytes) int; (list(A)) int; (map(A, B)) int; (string) int; bytes.() int; list(A).() int; map(A, B).() int; string.() int
type: (A) type(A)
dyn: (A) dyn
bool: (bool) bool; (string) bool
bytes: (bytes) bytes; (string) bytes
double: (double) double; (int) double; (string) double; (uint) double
duration: (duration) duration; (int) duration; (string) duration
int: (int) int; (double) int; (duration) int; (string) int; (timestamp) int; (uint) int
string: (string) string; (bool) string; (bytes) string; (double) string; (duration) string; (int) string; (timestamp) string; (uint) string; (net.IP) string; (net.CIDR) string
timestamp: (timestamp) timestamp; (int) timestamp; (string) timestamp
uint: (uint) uint; (double) uint; (int) uint; (string) uint
contains: string.(string) bool
endsWith: string.(string) bool
startsWith: string.(string) bool
matches: (string, string) bool; string.(string) bool
getFullYear: ${timePart}
getMonth: ${timePart}
getDayOfYear: ${timePart}
getDayOfMonth: ${timePart}
getDate: ${timePart}
getDayOfWeek: ${timePart}
getHours: ${timeOrDurationPart}
getMinutes: ${timeOrDurationPart}
getSeconds: ${timeOrDurationPart}
getMilliseconds: ${timeOrDurationPart}
charAt: string.(int) string
indexOf: string.(string) int; string.(string, int) int; list(A).(A) int
lastIndexOf: string.(string) int; string.(string, int) int; list(A).(A) int
lowerAscii: string.() string
upperAscii: string.() string
trim: string.() string
replace: string.(string, string) string; string.(string, string, int) string
split: string.(string) list(string); string.(string, int) list(string)
substring: string.(int) string; string.(int, int) string
format: string.(list(dyn)) string
strings.quote: (string) string
join: list(string).() string; list(string).(string) string
find: string.(string) string
findAll: string.(string) list(string); string.(string, int) list(string)
isSorted: ${each(comparable, 'list(T).() bool')}
sum: ${each(summable, 'list(T).() T')}
max: ${each(comparable, 'list(T).() T')}
min: ${each(comparable, 'list(T).() T')}
slice: list(A).(int, int) list(A)
flatten: list(list(A)).() list(A); list(dyn).(int) list(dyn)
sort: ${each(comparable, 'list(T).() list(T)')}
@sortByAssociatedKeys: ${each(comparable, 'list(A).(list(T)) list(A)')}
lists.range: (int) list(int)
reverse: list(A).() list(A)
distinct: list(A).() list(A)
first: list(V).() optional_type(V)
last: list(V).() optional_type(V)
sets.contains: (list(A), list(A)) bool
sets.equivalent: (list(A), list(A)) bool
sets.intersects: (list(A), list(A)) bool
cel.@mapInsert: (map(K, V), K, V) map(K, V); (map(K, V), map(K, V)) map(K, V)
optional.of: (V) optional_type(V)
optional.ofNonZeroValue: (V) optional_type(V)
optional.none: () optional_type(V)
optional.unwrap: (list(optional_type(V))) list(V)
unwrapOpt: list(optional_type(V)).() list(V)
value: optional_type(V).() V
hasValue: optional_type(V).() bool
or: optional_type(V).(optional_type(V)) optional_type(V)
orValue: optional_type(V).(V) V
url: (string) kubernetes.URL
isURL: (string) bool
getScheme: kubernetes.URL.() string
getHost: kubernetes.URL.() string
getHostname: kubernetes.URL.() string
getPort: kubernetes.URL.() string
getEscapedPath: kubernetes.URL.() string
getQuery: kubernetes.URL.() map(string, list(string))
quantity: (string) kubernetes.Quantity
isQuantity: (string) bool
sign: (kubernetes.Quantity) int
isInteger: kubernetes.Quantity.() bool
asInteger: kubernetes.Quantity.() int
asApproximateFloat: kubernetes.Quantity.() double
add: kubernetes.Quantity.(kubernetes.Quantity) kubernetes.Quantity; kubernetes.Quantity.(int) kubernetes.Quantity
sub: kubernetes.Quantity.(kubernetes.Quantity) kubernetes.Quantity; kubernetes.Quantity.(int) kubernetes.Quantity
isGreaterThan: kubernetes.Quantity.(kubernetes.Quantity) bool; kubernetes.Semver.(kubernetes.Semver) bool
isLessThan: kubernetes.Quantity.(kubernetes.Quantity) bool; kubernetes.Semver.(kubernetes.Semver) bool
compareTo: kubernetes.Quantity.(kubernetes.Quantity) int; kubernetes.Semver.(kubernetes.Semver) int
semver: (string) kubernetes.Semver; (string, bool) kubernetes.Semver
isSemver: (string) bool; (string, bool) bool
major: kubernetes.Semver.() int
minor: kubernetes.Semver.() int
patch: kubernetes.Semver.() int
ip: (string) net.IP; net.CIDR.() net.IP
ip.isCanonical: (string) bool
isIP: (string) bool
family: net.IP.() int
isUnspecified: net.IP.() bool
isLoopback: net.IP.() bool
isLinkLocalMulticast: net.IP.() bool
isLinkLocalUnicast: net.IP.() bool
isGlobalUnicast: net.IP.() bool
cidr: (string) net.CIDR
isCIDR: (string) bool
containsIP: net.CIDR.(string) bool; net.CIDR.(net.IP) bool
containsCIDR: net.CIDR.(string) bool; net.CIDR.(net.CIDR) bool
prefixLength: net.CIDR.() int
masked: net.CIDR.() net.CIDR
validate: kubernetes.NamedFormat.(string) optional_type(list(string))
format.named: (string) optional_type(kubernetes.NamedFormat)
${[
  'dns1123Label',
  'dns1123Subdomain',
  'dns1035Label',
  'qualifiedName',
  'dns1123LabelPrefix',
  'dns1123SubdomainPrefix',
  'dns1035LabelPrefix',
  'labelValue',
  'uri',
  'uuid',
  'byte',
  'date',
  'datetime',
]
  .map(name => `format.${name}: () kubernetes.NamedFormat`)
  .join('\n')}
path: kubernetes.authorization.Authorizer.(string) kubernetes.authorization.PathCheck
group: kubernetes.authorization.Authorizer.(string) kubernetes.authorization.GroupCheck
serviceAccount: kubernetes.authorization.Authorizer.(string, string) kubernetes.authorization.Authorizer
resource: kubernetes.authorization.GroupCheck.(string) kubernetes.authorization.ResourceCheck
subresource: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
namespace: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
name: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
fieldSelector: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
labelSelector: kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.ResourceCheck
check: kubernetes.authorization.PathCheck.(string) kubernetes.authorization.Decision; kubernetes.authorization.ResourceCheck.(string) kubernetes.authorization.Decision
errored: kubernetes.authorization.Decision.() bool
error: kubernetes.authorization.Decision.() string
allowed: kubernetes.authorization.Decision.() bool
reason: kubernetes.authorization.Decision.() string
`

let known: ReadonlyMap<string, readonly Overload[]> | undefined

/** The overloads of a function; undefined where nothing has that name. */
export function overloadsOf(name: string): readonly Overload[] | undefined {
  known ??= new Map(
    table
      .trim()
      .split('\n')
      .map(line => {
        const at = line.indexOf(': ')
        const functionName = line.slice(0, at)
        return [
          functionName,
          line
            .slice(at + 2)
            .split('; ')
            .map(text => overload(functionName, text)),
        ]
      }),
  )
  return known.get(name)
}

function overload(name: string, text: string): Overload {
  const open = text.startsWith('(') ? 0 : text.indexOf('.(') + 1
  const isMethod = open > 0
  const reader = new TypeReader(text, open + 1)
  const takes = isMethod ? [new TypeReader(text.slice(0, open - 1), 0).type()] : []
  const args: string[] = isMethod ? [text.slice(0, open - 1)] : []
  while (!reader.takes(')')) {
    const from = reader.position
    takes.push(reader.type())
    args.push(text.slice(from, reader.position))
    reader.takes(', ')
  }
  reader.takes(' ')
  return { id: `${isMethod ? '.' : ''}${name}(${args.join(', ')})`, isMethod, takes, gives: reader.type() }
}

class TypeReader {
  readonly #text: string
  position: number

  constructor(text: string, position: number) {
    this.#text = text
    this.position = position
  }

  takes(text: string): boolean {
    if (!this.#text.startsWith(text, this.position)) return false
    this.position += text.length
    return true
  }

  type(): CelType {
    const [name = ''] = /^[\w.]*\w/.exec(this.#text.slice(this.position)) ?? []
    this.position += name.length
    const params: CelType[] = []
    if (this.takes('('))
      while (!this.takes(')')) {
        params.push(this.type())
        this.takes(', ')
      }
    return namedType(name, params)
  }
}

function namedType(name: string, params: readonly CelType[]): CelType {
  const [first, second] = params
  if (first !== undefined) {
    if (name === 'list') return listType(first)
    if (name === 'map' && second !== undefined) return mapType(first, second)
    if (name === 'optional_type') return optionalType(first)
    return { kind: 'type', name, params }
  }
  // Addresses are opaque, the other types of Kubernetes are messages.
  if (name.startsWith('net.')) return { kind: 'opaque', name, params }
  if (name.includes('.')) return structType(name)
  return /^[A-Z]$/.test(name) ? paramType(name) : (simpleType(name) ?? structType(name))
}
