// Objects as nobody should send them: a kind's schema filled with likely values, some of them exchanged for hostile ones. What no
// JavaScript value can say (numbers past 2^53, keys that occur twice) is kept as JSON text until the object is written.
import type { Random } from '#kube/random.ts'
import type { Scalar, Schema, StructSchema } from '#twin/schema/schema.ts'

/** A piece of JSON as it is to stand in the text. */
export class Raw {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Tree = null | boolean | number | string | Raw | readonly Tree[] | ReadonlyMap<string, Tree>

export function pick<T>(random: Random, from: readonly T[]): T {
  if (from.length === 0) throw new Error('nothing to pick from')
  return from[Math.floor(random() * from.length)] as T
}

const raw = (text: string) => new Raw(text)

const quantities = [
  ...['1e18', '1e19', '9e15', '1000E', '8Ei', '9Ei', '1e100', '1e400', '-1', '-1e18', '0.1n', '1n', '9223372036854775807', ''],
  ...[
    '9223372036854775808',
    '12345678901234567890',
    '9'.repeat(40),
    'NaN',
    'Inf',
    '1e2147483648',
    '1.5.5',
    '１',
    '1Ki1',
    '.',
    '0x10',
  ],
]
const numbers = [
  ...[
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
    '9223372036854775808',
    '99999999999999999999999999',
    '-0',
  ],
  ...[
    '1e400',
    '1.5',
    '1e3',
    '2147483647',
    '2147483648',
    '-2147483649',
    '-1',
    '0',
    '1e-400',
    '1e21',
    '0.12345678901234567',
    '1.0',
  ],
]
const times = [
  ...[
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '2026-02-30T00:00:00Z',
    '2026-01-01T00:00:00+99:00',
    '1970-01-01T00:00:00Z',
  ],
  ...['+275760-09-13T00:00:00.001Z', 'now', '', '2026-01-01T00:00:00.123456Z', '0001-01-01T00:00:00Z', '2026-01-01T24:00:00Z'],
]
const patterns = ['(a+)+$', '^(a|a)*$', '[', '(?<=a)b', '\\1', '.{1000000}', '(?:(?:(?:a*)*)*)*b']
const texts = [
  ...[
    '',
    ' ',
    '\u0000',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'x'.repeat(100_000),
    'é'.repeat(300),
    '../..',
    'a/b',
  ],
  ...['%2e%2e', '\u202e', '{{.}}', '$(A)', '\n\n', 'a=b,c!=d', 'a in (b', '!', ',', 'Deployment', '*', '0', '-1', 'null', '😀'],
  ...[
    'Always',
    'ClusterIP',
    'In',
    'NotIn',
    'Exists',
    '100%',
    '-5%',
    '200%',
    '1e9%',
    '10.0.0.1',
    '::',
    '0.0.0.0/0',
    '* * * * *',
    '@every 1s',
  ],
  ...['TZ=Mars/Olympus * * * * *', '60 60 31 2 *', '1-59/0 * * * *', ...patterns, ...times],
]
const loneSurrogates = [raw('"\\ud800"'), raw('"a\\udc00b"')]

const deep = (open: string, close: string, levels: number) => raw(`${open.repeat(levels)}1${close.repeat(levels)}`)

/** What may stand anywhere. */
const anything: readonly Tree[] = [
  ...[null, true, false, '', [], new Map(), [null], new Map([['', null]])],
  ...texts,
  ...numbers.map(raw),
  ...quantities,
  ...loneSurrogates,
  deep('{"a":', '}', 50),
  deep('[', ']', 200),
  raw('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
  raw('{"a":1,"a":2}'),
  Array.from({ length: 2000 }, (_, index) => index),
  new Map(Array.from({ length: 2000 }, (_, index) => [`k${index}`, 'v'])),
]

const scalarsOf: Readonly<Record<Scalar, readonly Tree[]>> = {
  string: texts,
  bytes: ['', 'AA==', '!!!', 'A'.repeat(10_001)],
  int32: numbers.map(raw),
  int64: numbers.map(raw),
  double: numbers.map(raw),
  boolean: [true, false, 'true', 0],
  time: times,
  'micro-time': times,
  'int-or-string': [...numbers.map(raw), '100%', '-1%', '0%', '9'.repeat(30), 'http', '', '1.5%'],
  quantity: [...quantities, ...numbers.map(raw)],
}

/** Values that pass as what a field is. */
const likely: Readonly<Record<Scalar, readonly Tree[]>> = {
  string: [
    'a',
    'b',
    'default',
    'main',
    'Always',
    'In',
    'Exists',
    'TCP',
    'v1',
    'Pod',
    'registry.example/app:1',
    'n1',
    'NoExecute',
    '/a',
  ],
  bytes: ['AA=='],
  int32: [0, 1, 2, 80, 600],
  int64: [0, 1, 30, 3600, raw('9007199254740993'), raw('9223372036854775807')],
  double: [0, 1, 0.5],
  boolean: [true, false],
  time: ['2026-01-01T00:00:00Z', '2025-12-31T00:00:00Z'],
  'micro-time': ['2026-01-01T00:00:00.000000Z'],
  'int-or-string': [1, '50%', 80],
  quantity: ['1', '100m', '1Gi', '1e18', '9Ei', raw('9007199254740993')],
}

interface Making {
  readonly random: Random
  /** How likely each value is hostile. */
  readonly hostility: number
  depth: number
}

const deepest = 9

/** A value of the schema: what it requires, some of what it allows, and hostile values here and there. */
function made(schema: Schema, making: Making): Tree {
  const { random } = making
  // Mostly of the right type: what is refused at the door reaches nobody.
  if (random() < making.hostility / 3) return pick(random, anything)
  switch (schema.kind) {
    case 'any':
      return random() < making.hostility ? pick(random, anything) : new Map([['a', 'b']])
    case 'scalar':
      return pick(random, random() < making.hostility ? scalarsOf[schema.scalar] : likely[schema.scalar])
    case 'map': {
      const keys =
        random() < making.hostility
          ? pick(random, [['__proto__', 'constructor'], ['', 'a'], ['a'.repeat(400)]])
          : ['app', 'cpu', 'memory']
      return new Map(keys.filter(() => random() < 0.7).map(key => [key, deeper(making, () => made(schema.value, making))]))
    }
    case 'list': {
      const item = () => deeper(making, () => made(schema.item, making))
      if (making.depth > deepest) return []
      const first = item()
      if (random() < making.hostility)
        return pick(random, [[], [first, first], Array.from({ length: 300 }, () => first), [null], [first, null]])
      return random() < 0.3 ? [first, item()] : [first]
    }
    case 'struct':
      return struct(schema, making)
  }
}

function deeper(making: Making, make: () => Tree): Tree {
  making.depth++
  const tree = make()
  making.depth--
  return tree
}

function struct(schema: StructSchema, making: Making): Map<string, Tree> {
  const { random } = making
  const fields = new Map<string, Tree>()
  const share = making.depth === 0 ? 1 : making.depth > deepest ? 0 : making.depth < 3 ? 0.3 : 0.1
  for (const [name, field] of schema.fields) {
    if (field.isRequired ? making.depth > 2 * deepest : random() >= share) continue
    fields.set(
      name,
      deeper(making, () => made(field.schema, making)),
    )
  }
  if (random() < making.hostility / 4)
    fields.set(pick(random, ['__proto__', 'constructor', '', 'unknown']), pick(random, anything))
  return fields
}

/** An object of the kind as a tree; `metadata` is the caller's. */
export function madeObject(schema: StructSchema, random: Random, hostility: number): Map<string, Tree> {
  return struct(schema, { random, hostility, depth: 0 })
}

/** A tree of JavaScript values as one that may be changed. */
export function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return value.map(treeOf)
  if (typeof value === 'object' && value !== null) return new Map(Object.entries(value).map(([key, item]) => [key, treeOf(item)]))
  if (typeof value === 'bigint') return raw(String(value))
  return value === undefined || typeof value === 'function' || typeof value === 'symbol' ? null : (value as Tree)
}

/** The tree with `count` of its values, anywhere, exchanged for hostile ones; those of numbers and quantities mostly for ones of their sort. */
export function spoilt(tree: Tree, random: Random, count: number): Tree {
  let places = 0
  const counted = (value: Tree): void => {
    places++
    if (value instanceof Map) for (const item of value.values()) counted(item)
    else if (Array.isArray(value)) for (const item of value) counted(item)
  }
  counted(tree)
  const chosen = new Set(Array.from({ length: count }, () => 1 + Math.floor(random() * Math.max(1, places - 1))))
  let at = -1
  const walk = (value: Tree): Tree => {
    at++
    if (chosen.has(at)) return hostileFor(value, random)
    if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [key, walk(item)]))
    return Array.isArray(value) ? value.map(walk) : value
  }
  return walk(tree)
}

/** The tree without one of its fields, wherever it is. */
export function withoutOne(tree: Tree, random: Random): Tree {
  const paths: (readonly (string | number)[])[] = []
  const gather = (value: Tree, path: readonly (string | number)[]): void => {
    if (path.length > 0) paths.push(path)
    if (value instanceof Map) for (const [key, item] of value) gather(item, [...path, key])
    else if (Array.isArray(value)) for (const [index, item] of value.entries()) gather(item, [...path, index])
  }
  gather(tree, [])
  const chosen = pick(random, paths)
  const walk = (value: Tree, depth: number): Tree => {
    const step = chosen[depth]
    const isLast = depth === chosen.length - 1
    if (value instanceof Map)
      return new Map(
        [...value].flatMap(([key, item]): [string, Tree][] =>
          key !== step ? [[key, item]] : isLast ? [] : [[key, walk(item, depth + 1)]],
        ),
      )
    if (Array.isArray(value))
      return value.flatMap((item: Tree, index): Tree[] => (index !== step ? [item] : isLast ? [] : [walk(item, depth + 1)]))
    return value
  }
  return walk(tree, 0)
}

function hostileFor(value: Tree, random: Random): Tree {
  if (random() < 0.3) return pick(random, anything)
  if (typeof value === 'number') return raw(pick(random, numbers))
  if (typeof value === 'boolean') return pick(random, [true, false, null])
  if (typeof value === 'string') {
    if (/^\d+(\.\d+)?([mkMGTPE]|[KMGTPE]i)?$/.test(value)) return pick(random, quantities)
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return pick(random, times)
    return pick(random, texts)
  }
  if (Array.isArray(value))
    return value.length === 0
      ? [null]
      : pick(random, [[], [...value, ...value], Array.from({ length: 300 }, () => value[0] ?? null)])
  if (value instanceof Map)
    return random() < 0.5 ? new Map() : new Map([...value, ['__proto__', new Map([['a', 'b']])], ['constructor', 'x']])
  return pick(random, anything)
}

export function jsonOf(tree: Tree): string {
  if (tree instanceof Raw) return tree.text
  if (Array.isArray(tree)) return `[${tree.map(jsonOf).join(',')}]`
  if (tree instanceof Map) return `{${Array.from(tree, ([key, value]) => `${JSON.stringify(key)}:${jsonOf(value)}`).join(',')}}`
  return JSON.stringify(tree)
}

export type { Tree }
