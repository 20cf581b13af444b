// Objects as Go prints its own structs, which is how a server shows what may not be changed.
import { type Draft, isFields } from '../json-value.ts'
import { goStructs } from './go-structs.ts'

interface Field {
  readonly go: string
  readonly json: string
  readonly holds: string
}

const zeros: Readonly<Record<string, unknown>> = { text: '', number: 0, flag: false, amount: '0' }
const read = new Map<string, readonly Field[]>()

function fieldsOf(struct: string): readonly Field[] {
  const known = read.get(struct)
  if (known !== undefined) return known
  const fields = (goStructs[struct] ?? '').split(' ').map((text): Field => {
    const [names = '', holds = ''] = text.split(':')
    const [go = '', json = `${go.slice(0, 1).toLowerCase()}${go.slice(1)}`] = names.split('=')
    return { go, json, holds }
  })
  read.set(struct, fields)
  return fields
}

/** What a struct of the name prints of `value`; null where there is none. */
export function printedStruct(struct: string, value: unknown): Draft | null {
  return isFields(value) ? printed(struct, struct === 'PodSpec' ? withHostInContext(value) : value) : null
}

function printed(struct: string, value: Draft): Draft {
  const shown: Draft = {}
  for (const { go, json, holds } of fieldsOf(struct)) {
    if (go === '+ObjectMeta') Object.assign(shown, withSortedMaps(value['metadata']))
    else if (go.startsWith('+')) Object.assign(shown, printed(go.slice(1), value))
    else shown[go] = printedField(holds, value[json])
  }
  return shown
}

function printedField(holds: string, value: unknown): unknown {
  if (Object.hasOwn(zeros, holds)) return value ?? zeros[holds]
  if (holds === '') return value ?? null
  if (holds === 'map') return isFields(value) ? sorted(value) : null
  if (holds === 'selector') return isFields(value) ? printedSelector(value) : null
  if (holds.startsWith('*')) return printedStruct(holds.slice(1), value)
  if (holds.startsWith('[]'))
    return Array.isArray(value) ? value.map(item => printedStruct(holds.slice(2), isFields(item) ? item : {})) : null
  return printedStruct(holds, isFields(value) ? value : {})
}

/** A server keeps what a pod shares with its host in the security context, which says more than it does in JSON. */
function withHostInContext(spec: Draft): Draft {
  const context = isFields(spec['securityContext']) ? spec['securityContext'] : undefined
  const names = ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace', 'hostUsers']
  const shared = Object.fromEntries(names.flatMap(name => (spec[name] === undefined ? [] : [[name, spec[name]]])))
  if (context === undefined && Object.keys(shared).length === 0) return spec
  return { ...spec, securityContext: { ...context, ...shared } }
}

/** Metadata is printed as it is sent, with the keys of its maps in their order. */
function withSortedMaps(metadata: unknown): Draft {
  if (!isFields(metadata)) return {}
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, isFields(value) ? sorted(value) : value]))
}

function sorted(map: Draft): Draft {
  return Object.fromEntries(Object.entries(map).toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

/** Selectors are of the types that clients know, which leave out what is not there. */
function printedSelector({ matchLabels, matchExpressions }: Draft): Draft {
  return {
    ...(isFields(matchLabels) ? { matchLabels: sorted(matchLabels) } : {}),
    ...(Array.isArray(matchExpressions) ? { matchExpressions } : {}),
  }
}
