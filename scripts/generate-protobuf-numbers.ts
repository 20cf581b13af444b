// The numbers of the fields in Kubernetes' protobuf messages, read from the tags of its Go types: `protobuf:"bytes,2,opt,name=spec"`. The
// sources are modules that Go keeps after a build with them; where they are not, what is committed stays.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { builtInResources } from '../src/twin/api/built-in-resources.ts'
import { sectionOf } from '../src/twin/api/decoding/protobuf.ts'

const version = 'v0.36.4'
const modules = ['k8s.io/api', 'k8s.io/apimachinery', 'k8s.io/apiextensions-apiserver', 'k8s.io/kube-aggregator'] as const

/** Where the types of a section lie, but for those of `k8s.io/api`, whose folder is the section's name. */
const elsewhere: Readonly<Record<string, string>> = {
  'meta/v1': `k8s.io/apimachinery@${version}/pkg/apis/meta/v1`,
  'apiextensions/v1': `k8s.io/apiextensions-apiserver@${version}/pkg/apis/apiextensions/v1`,
  'apiregistration/v1': `k8s.io/kube-aggregator@${version}/pkg/apis/apiregistration/v1`,
}

/** The generated file and its text; none where Go does not have the sources (`go mod download`). */
export function protobufNumbers(): ReadonlyMap<string, string> {
  const kept = process.env['GOMODCACHE'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'pkg', 'mod')
  if (!modules.every(name => existsSync(join(kept, `${name}@${version}`)))) return new Map()
  // Nobody writes metrics.
  const written = builtInResources.filter(({ group }) => group !== 'metrics.k8s.io')
  const sections = new Set(['meta/v1', ...written.map(({ group, version }) => sectionOf(group, version))])
  const files = new Map(
    [...sections].map(section => [section, goFiles(join(kept, elsewhere[section] ?? `k8s.io/api@${version}/${section}`))]),
  )
  const lines = [...files].map(([section, texts]) => {
    const messages = texts
      .flatMap(text => [...structsOf(text)])
      .flatMap(({ name, body }) => {
        const fields = fieldsOf(body)
        const isPlain = /^metadata (spec( status)?|items)$/.test(fields) && !otherwiseInCore.has(name)
        return fields === '' || isPlain ? [] : [[name, fields] as const]
      })
    const sorted = messages.toSorted(([one], [other]) => (one < other ? -1 : 1))
    return `${JSON.stringify(section)}:{\n${sorted.map(([name, fields]) => `${JSON.stringify(name)}:${JSON.stringify(fields)}`).join(',\n')}\n}`
  })
  const source = `${modules.join(', ')} ${version} (Apache-2.0)`
  return new Map([
    ['src/twin/generated/protobuf-numbers.json', `{"source":${JSON.stringify(source)},"messages":{\n${lines.join(',\n')}\n}}\n`],
  ])
}

/** Kinds whose name is another message's in the core group, which is looked into where a section has none. */
const otherwiseInCore: ReadonlySet<string> = new Set(['ResourceClaim'])

function goFiles(folder: string): readonly string[] {
  if (!existsSync(folder)) throw new Error(`${folder} is not there: which module has these types?`)
  return readdirSync(folder)
    .filter(file => file.endsWith('.go') && !/(_test|\.pb)\.go$|^zz_/.test(file))
    .map(file => readFileSync(join(folder, file), 'utf8'))
}

function* structsOf(text: string): Generator<{ readonly name: string; readonly body: string }> {
  for (const [, name = '', body = ''] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) yield { name, body }
}

/**
 * Names in the order of their numbers, from 1; `@n` gives the next name the number n. JSON names, but of a struct that lies inline in its
 * parent. `?` marks a pointer: what is zero or empty in it is a value where it is sent.
 */
function fieldsOf(body: string): string {
  const fields = new Map<number, string>()
  for (const [, declared = '', tags = ''] of body.matchAll(/^\t(\w[^\n`]*?)\s*`([^`\n]*)`/gm)) {
    const [, number] = /protobuf:"\w+,(\d+)/.exec(tags) ?? []
    if (number === undefined) continue
    const [, name = `${declared.slice(0, 1).toLowerCase()}${declared.slice(1)}`] = /protobuf:"[^"]*name=([\w$]+)/.exec(tags) ?? []
    const [, json = ''] = /json:"([^",]*)/.exec(tags) ?? []
    const [, pointed] = /\*(?:\w+\.)?(\w+)$/.exec(declared) ?? []
    const isPointer = pointed !== undefined && pointed !== 'Quantity'
    fields.set(Number(number), `${json === '' || json === '-' ? name : json}${isPointer ? '?' : ''}`)
  }
  let next = 1
  return [...fields]
    .toSorted(([one], [other]) => one - other)
    .map(([number, name]) => {
      const text = number === next ? name : `@${number} ${name}`
      next = number + 1
      return text
    })
    .join(' ')
}
