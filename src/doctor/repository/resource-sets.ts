// What a ResourceSet of Flux Operator makes, as far as the file says it: inputs that are written in the set are filled in, others stay variables.
import { parse } from 'yaml'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isTree } from '#upstreams/values-tree.ts'
import { documentsIn } from './documents.ts'
import { hasVariables } from './left-alone.ts'

interface MadeObject {
  readonly object: KubeObject
  /** Where in the set it is written. */
  readonly path: readonly (string | number)[]
  /** It is made for sure: not by inputs that come from elsewhere, nor below a condition or a loop. */
  readonly isCertain: boolean
}

interface Made {
  readonly objects: readonly MadeObject[]
  /** Kinds of objects that it makes beside these, under names that nobody sees beforehand; `*`: any. */
  readonly unseenKinds: readonly string[]
}

const mostMade = 5_000
/** Characters of a line, or of a value, that is a template. */
const longestTemplate = 4_096

export const isResourceSet = ({ apiVersion, kind }: KubeObject): boolean =>
  kind === 'ResourceSet' && apiVersion.startsWith('fluxcd.controlplane.io/')

/**
 * Objects that the set makes: each resource once for every input, each object once
 * (https://fluxoperator.dev/docs/crd/resourceset/). Pure.
 */
export function madeBy(set: KubeObject): Made {
  const inputs = inputsOf(set)
  const parts = partsOf(set)
  const kinds = () => parts.flatMap(({ template }) => (typeof template === 'string' ? kindsIn(template) : kindOf(template)))
  if (inputs.length * parts.length > mostMade) return { objects: [], unseenKinds: [...new Set(kinds())] }
  const unseen = new Set<string>()
  const objects = new Map<string, MadeObject>()
  for (const { template, path } of parts)
    for (const input of inputs) {
      const found = typeof template === 'string' ? fromText(template, input) : fromTree(template, input)
      if (found === undefined) for (const kind of kindsIn(String(template))) unseen.add(kind)
      for (const { object, isCertain } of found ?? []) {
        const { apiVersion, kind, metadata } = object
        const key = JSON.stringify([apiVersion, kind, metadata.namespace, metadata.name])
        if (!objects.has(key)) objects.set(key, { object, path, isCertain })
      }
      if (objects.size > mostMade) return { objects: [], unseenKinds: [...new Set(kinds())] }
    }
  return { objects: [...objects.values()], unseenKinds: [...unseen] }
}

/** Values of one input; `undefined`: they come from elsewhere. */
type Input = Readonly<Record<string, unknown>> | undefined

/** Without any input each resource is made once. Permuted inputs have other names, so none of their values is known. */
function inputsOf(set: KubeObject): readonly Input[] {
  const written = listAt(set, 'spec', 'inputs').filter(isTree)
  const isElsewhere = listAt(set, 'spec', 'inputsFrom').length > 0
  if (textAt(set, 'spec', 'inputStrategy', 'name') === 'Permute') return [undefined]
  if (isElsewhere) return [...written, undefined]
  return written.length === 0 ? [{}] : written
}

interface Part {
  /** A resource, or the text of several. */
  readonly template: unknown
  readonly path: readonly (string | number)[]
}

/** Resources and templates of the set, and of its steps. */
function partsOf(set: KubeObject): readonly Part[] {
  const steps = listAt(set, 'spec', 'steps').map((step, index) => ({ holder: step, path: ['spec', 'steps', index] }))
  return [{ holder: at(set, 'spec'), path: ['spec'] }, ...steps].flatMap(({ holder, path }): readonly Part[] => {
    const text = textAt(holder, 'resourcesTemplate')
    return [
      ...listAt(holder, 'resources').flatMap((template, index) =>
        isTree(template) ? [{ template, path: [...path, 'resources', index] }] : [],
      ),
      ...(text === undefined ? [] : [{ template: text, path: [...path, 'resourcesTemplate'] }]),
    ]
  })
}

type Found = Omit<MadeObject, 'path'>

function fromTree(template: unknown, input: Input): readonly Found[] {
  return asMade(filledTree(template, input), input !== undefined)
}

/** `undefined` where the text is no YAML, even with its conditions and loops left out. */
function fromText(text: string, input: Input): readonly Found[] | undefined {
  const lines = text.split('\n')
  const isPlain = !lines.some(isControlled)
  const filled = lines.filter(line => !isControl(line)).map(line => filledText(line, input))
  return documentsIn(filled.join('\n'))?.flatMap(document => asMade(document, isPlain && input !== undefined))
}

/** What `fluxcd.controlplane.io/reconcile: disabled` leaves out is not made; what a condition decides may be. */
function asMade(value: unknown, isCertain: boolean): readonly Found[] {
  const [apiVersion, kind, name] = [textAt(value, 'apiVersion'), textAt(value, 'kind'), textAt(value, 'metadata', 'name')]
  if (!isTree(value) || apiVersion === undefined || kind === undefined || name === undefined) return []
  const reconciles = textAt(value, 'metadata', 'annotations', 'fluxcd.controlplane.io/reconcile') ?? ''
  if (reconciles === 'disabled') return []
  const metadata = at(value, 'metadata')
  const object = { ...value, apiVersion, kind, metadata: { ...(isTree(metadata) ? metadata : {}), name } }
  return [{ object, isCertain: isCertain && !hasVariables(reconciles) }]
}

/** A key is filled in, too. */
function filledTree(value: unknown, input: Input): unknown {
  if (typeof value === 'string') return filledScalar(value, input)
  if (Array.isArray(value)) return value.map(one => filledTree(one, input))
  if (!isTree(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [filledText(key, input), filledTree(one, input)]))
}

const expression = /<<(.*?)>>/gs
const control = /^(if|else|end|range|with|define|block|template|break|continue|\/\*|\$\w+\s*:?=)/

/** What stands between the marks, which may ask for blanks to be cut off. */
const innerOf = (written: string): string => written.replace(/^-/, '').replace(/-$/, '').trim()

const controlsIn = (text: string) =>
  text.length > longestTemplate ? [] : [...text.matchAll(expression)].filter(([, inner = '']) => control.test(innerOf(inner)))

const isControlled = (text: string): boolean => controlsIn(text).length > 0

/** A line of conditions and loops and of nothing else. */
const isControl = (line: string): boolean => isControlled(line) && line.replaceAll(expression, '').trim() === ''

/** A value that is one expression and nothing else keeps its type: `<< inputs.replicas | int >>`. */
function filledScalar(text: string, input: Input): unknown {
  const filled = filledText(text, input)
  const isWhole = /^<<[^<>]*>>$/.test(text) && !/\|\s*s?quote\b/.test(text)
  const value: unknown = isWhole && /^[\w.+-]*$/.test(filled) ? parse(filled) : filled
  return value
}

/** Where a condition stands within a text, nothing of the text is known from there on. */
function filledText(text: string, input: Input): string {
  if (!text.includes('<<')) return text
  if (text.length > longestTemplate) return asVariable('')
  const [decided] = controlsIn(text)
  if (decided !== undefined) return `${filledText(text.slice(0, decided.index), input)}${asVariable('')}`
  return text.replaceAll(expression, (_, inner: string) => inputValue(innerOf(inner), input) ?? asVariable(inner))
}

/** Functions that leave a text as it is, or write it otherwise in YAML only. */
const plainFunctions: ReadonlySet<string> = new Set(['quote', 'squote', 'int', 'bool', 'toString', 'trim'])

/** The value of `inputs.a.b | quote`; `undefined` where it is not known, or made by some function. */
function inputValue(inner: string, input: Input): string | undefined {
  const [path = '', ...functions] = inner.split('|').map(part => part.trim())
  if (input === undefined || !/^inputs(\.\w+)+$/.test(path) || !functions.every(one => plainFunctions.has(one))) return undefined
  const value = at(input, ...path.split('.').slice(1))
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

/** As a variable of Flux is written, so that everybody who meets it knows that its value is not. */
const asVariable = (inner: string): string => `\${${/inputs(\.\w+)*/.exec(inner)?.[0] ?? 'template'}}`

/** Kinds in a text that is no YAML. */
function kindsIn(text: string): readonly string[] {
  const kinds = [...text.matchAll(/^\s*-?\s*kind:\s*(.*?)\s*$/gm)].map(([, kind = '']) => kind.replaceAll(/["']/g, ''))
  return kinds.length === 0 || kinds.some(kind => !/^\w+$/.test(kind)) ? ['*'] : kinds
}

const kindOf = (template: unknown): readonly string[] => [textAt(template, 'kind') ?? '*']
