// The schemas of the built-in kinds, read from the installed @kubernetes/client-node (Apache-2.0), whose generated classes
// carry names, types, formats and descriptions of every field of a Kubernetes release. Written as two compact tables:
// types for everybody, descriptions for `kubectl explain`.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtInResources } from '../src/twin/api/built-in-resources.ts'

/** Field name → code: see `src/twin/schema/schema-table.ts`. */
type Definition = Readonly<Record<string, string>>

interface Model {
  readonly definition: Definition
  readonly description: string
  readonly fields: Readonly<Record<string, string>>
}

interface Generated {
  readonly types: string
  readonly descriptions: string
}

/** Bodies of requests that are no resource of their own. */
const furtherRoots = ['V1Eviction', 'V1Binding', 'V1Scale', 'AuthenticationV1TokenRequest', 'V1DeleteOptions', 'V1Status']

/** Makes both tables from the package below `root`. */
function generateSchemas(root: string): Generated {
  const packageFolder = join(root, 'node_modules', '@kubernetes', 'client-node')
  const folder = join(packageFolder, 'dist', 'gen', 'models')
  const manifest: unknown = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8'))
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : ''
  const names = new Set(
    readdirSync(folder)
      .filter(file => file.endsWith('.d.ts'))
      .map(file => file.slice(0, -'.d.ts'.length)),
  )
  const models = new Map<string, Model>()
  const roots = builtInResources.map(type => modelOfKind(names, type)).filter(name => name !== undefined)
  const queue = [...roots, ...furtherRoots]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (models.has(name) || !names.has(name)) continue
    const model = readModel(folder, name)
    models.set(name, model)
    for (const code of Object.values(model.definition)) queue.push(...(code.match(/@(\w+)/)?.slice(1) ?? []))
  }
  const sorted = [...models].sort(([left], [right]) => (left < right ? -1 : 1))
  const kinds = Object.fromEntries(builtInResources.flatMap(type => modelEntry(names, type)))
  const source = `@kubernetes/client-node ${version} (Apache-2.0)`
  return {
    types: table({ source, kinds, definitions: Object.fromEntries(sorted.map(([name, model]) => [name, model.definition])) }),
    descriptions: table({
      source,
      definitions: Object.fromEntries(sorted.map(([name, model]) => [name, { '': model.description, ...model.fields }])),
    }),
  }
}

/** One line a definition, so that a new release reads as a diff. */
function table(content: { readonly definitions: Readonly<Record<string, unknown>> } & Readonly<Record<string, unknown>>): string {
  const { definitions, ...head } = content
  const lines = Object.entries(definitions).map(([name, definition]) => `${JSON.stringify(name)}:${JSON.stringify(definition)}`)
  return `${JSON.stringify(head).slice(0, -1)},"definitions":{\n${lines.join(',\n')}\n}}\n`
}

function modelEntry(
  names: ReadonlySet<string>,
  type: { readonly group: string; readonly version: string; readonly kind: string },
) {
  const model = modelOfKind(names, type)
  return model === undefined ? [] : [[`${type.group}/${type.version}/${type.kind}`, model] as const]
}

/** `V1Pod`; where a kind exists in two groups, the group's name comes first: `EventsV1Event`. */
function modelOfKind(
  names: ReadonlySet<string>,
  { group, version, kind }: { readonly group: string; readonly version: string; readonly kind: string },
): string | undefined {
  const versionPart = version.charAt(0).toUpperCase() + version.slice(1)
  const groupPart = group === '' ? 'Core' : group.charAt(0).toUpperCase() + group.slice(1).replace(/\..*$/, '')
  return [`${groupPart}${versionPart}${kind}`, `${versionPart}${kind}`].find(name => names.has(name))
}

function readModel(folder: string, name: string): Model {
  const code = readFileSync(join(folder, `${name}.js`), 'utf8')
  const types = readFileSync(join(folder, `${name}.d.ts`), 'utf8')
  const fields = new Map<string, { readonly isRequired: boolean; readonly description: string }>()
  for (const match of types.matchAll(/(?:\/\*\*\s*\n\s*\* (.*)\n\s*\*\/\s*\n\s*)?'(\w+)'(\?)?: /g)) {
    fields.set(match[2] ?? '', { isRequired: match[3] !== '?', description: plain(match[1] ?? '') })
  }
  const definition: Record<string, string> = {}
  const descriptions: Record<string, string> = {}
  const attribute = /"name": "([^"]+)",\s*"baseName": "([^"]+)",\s*"type": "([^"]*)",\s*"format": "([^"]*)"/g
  for (const [, property = '', jsonName = '', type = '', format = ''] of code.matchAll(attribute)) {
    const field = fields.get(property)
    definition[jsonName] = `${typeCode(type, format)}${field?.isRequired === true ? '!' : ''}`
    descriptions[jsonName] = field?.description ?? ''
  }
  return { definition, description: plain(/\/\*\*\n\* (.*)\n\*\/\nexport/.exec(types)?.[1] ?? ''), fields: descriptions }
}

function plain(comment: string): string {
  return comment
    .replaceAll(/\\(["'])/g, '$1')
    .replaceAll('\\\\', '\\')
    .replaceAll('*_/', '*/')
}

const scalars: Readonly<Record<string, string>> = {
  'string|': 's',
  'string|byte': 'y',
  'number|int32': 'i',
  'number|int64': 'l',
  'number|double': 'n',
  'boolean|': 'b',
  'Date|date-time': 't',
  'IntOrString|int-or-string': 'x',
  'any|': '*',
}

function typeCode(type: string, format: string): string {
  const scalar = scalars[`${type}|${format}`] ?? scalars[`${type}|`]
  if (format === 'date-time-micro') return 'm'
  if (scalar !== undefined) return scalar
  const list = /^Array<(.*)>$/.exec(type)
  if (list !== null) return `[${typeCode(list[1] ?? '', format)}`
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)
  if (map !== null) return `{${typeCode(map[1] ?? '', format)}`
  return `@${type}`
}

/** Path below the project's root → text of both tables. */
export function schemaTables(root: string): ReadonlyMap<string, string> {
  const { types, descriptions } = generateSchemas(root)
  return new Map([
    ['src/twin/generated/schemas.json', types],
    ['src/twin/generated/descriptions.json', descriptions],
  ])
}
