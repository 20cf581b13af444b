// One number in a text that a source answered with: JSON by a path of gjson, YAML and XML by names between dots, Prometheus' text by a selector.
import { RE2JS } from 're2js'
import { parseDocument } from 'yaml'
import { messageOf } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import { AnswerError } from '#kube/outside-error.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { TriggerProblem } from '../triggers/parameters.ts'
import { jsonPath } from './json-path.ts'
import { kindOf } from './outgoing.ts'

export type ValueFormat = 'json' | 'yaml' | 'xml' | 'prometheus'

/** Bytes of YAML and XML: reading more would hold up everybody else. */
const mostTreeBytes = 1024 * 1024

/** @throws AnswerError where the text is no such format, or has no number there; TriggerProblem for a location that cannot be read */
export async function locatedValue(text: string, location: string, format: ValueFormat): Promise<number> {
  switch (format) {
    case 'json':
      return amountOf(jsonPath(location)(parsed('JSON', () => JSON.parse(text))), location)
    case 'yaml':
      bounded(text)
      return amountOf(
        byNames(
          parsed('YAML', () => yamlOf(text)),
          location,
        ),
        location,
      )
    case 'xml':
      bounded(text)
      return amountOf(byNames(await parsedXml(text), location), location)
    case 'prometheus':
      return sampleOf(text, location)
  }
}

function bounded(text: string): void {
  if (text.length > mostTreeBytes) throw new AnswerError(`the answer is larger than ${mostTreeBytes} characters of this format`)
}

function parsed(format: string, read: () => unknown): unknown {
  try {
    return read()
  } catch {
    // A parser's own words show what was answered, which may be secret.
    throw new AnswerError(`the answer is no ${format}`)
  }
}

function yamlOf(text: string): unknown {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error !== undefined) throw error
  return document.toJS()
}

async function parsedXml(text: string): Promise<unknown> {
  const { XMLParser, XMLValidator } = await import('fast-xml-parser')
  if (XMLValidator.validate(text) !== true) throw new AnswerError('the answer is no XML')
  const parser = new XMLParser({
    parseTagValue: false,
    ignoreAttributes: false,
    attributeNamePrefix: '-',
    processEntities: false,
  })
  return parsed('XML', () => parser.parse(text))
}

/** A number, or a text that is a quantity such as `500m`. @throws AnswerError */
export function amountOf(found: unknown, location: string): number {
  if (typeof found === 'number' && Number.isFinite(found)) return found
  if (typeof found === 'string') {
    const quantity = parseQuantity(found.trim())
    if (!quantity.ok)
      throw new AnswerError(`valueLocation ${JSON.stringify(location)} points to a string that is not parseable as a Quantity`)
    return Number(quantity.value.nanos) / 1e9
  }
  const kind = found === undefined ? 'nothing' : kindOf(found)
  throw new AnswerError(
    `valueLocation ${JSON.stringify(location)} must point to a numeric value or a string parseable as a Quantity, got ${kind}`,
  )
}

/** As upstream: what is no map ends the path, whatever follows. */
function byNames(tree: unknown, path: string): unknown {
  let current = tree
  for (const key of path.split('.')) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key))
      throw new AnswerError(`key '${key}' not found in path '${path}'`)
    current = at(current, key)
    if (typeof current !== 'object' || current === null) return current
  }
  throw new AnswerError(`path '${path}' does not lead to a value`)
}

interface Selector {
  readonly name: string
  matches(labels: ReadonlyMap<string, string>): boolean
}

const word = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const pair = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)/y

/** `name{label="value"}`. @throws TriggerProblem */
export function selectorOf(written: string): Selector {
  const refuse = (): never => {
    throw new TriggerProblem(`valueLocation ${JSON.stringify(written)}: expected a metric such as queue_length{queue="mail"}`)
  }
  const text = written.trim()
  const name = word.exec(text)?.[0] ?? refuse()
  const rest = text.slice(name.length).trim()
  if (rest === '') return { name, matches: () => true }
  if (!rest.startsWith('{') || !rest.endsWith('}')) refuse()
  const inner = rest.slice(1, -1)
  const tests: ((labels: ReadonlyMap<string, string>) => boolean)[] = []
  for (let from = 0; inner.slice(from).trim() !== ''; from = pair.lastIndex) {
    pair.lastIndex = from
    const [, label = '', operator = '', value = ''] = pair.exec(inner) ?? refuse()
    tests.push(labels => judge(operator, labels.get(label) ?? '', unescaped(value)))
  }
  return { name, matches: labels => tests.every(test => test(labels)) }
}

function judge(operator: string, found: string, wanted: string): boolean {
  if (operator === '=') return found === wanted
  if (operator === '!=') return found !== wanted
  try {
    return RE2JS.matches(wanted, found) === (operator === '=~')
  } catch (error) {
    throw new TriggerProblem(`the expression ${JSON.stringify(wanted)}: ${messageOf(error)}`)
  }
}

const unescaped = (text: string): string => text.replaceAll(/\\(.)/g, (_all, char: string) => (char === 'n' ? '\n' : char))

const label = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?/y

function sampleOf(text: string, location: string): number {
  const selector = selectorOf(location)
  let isNamed = false
  for (const line of text.split('\n')) {
    if (!line.startsWith(selector.name)) continue
    const after = line.slice(selector.name.length)
    const labels = new Map<string, string>()
    let rest = after
    if (after.startsWith('{')) {
      let end = 1
      for (label.lastIndex = end; ; end = label.lastIndex) {
        label.lastIndex = end
        const found = label.exec(after)
        if (found === null) break
        labels.set(found[1] ?? '', unescaped(found[2] ?? ''))
      }
      rest = after.slice(end).trimStart()
      if (!rest.startsWith('}')) throw new AnswerError(`a line of ${selector.name} is no line of Prometheus`)
      rest = rest.slice(1)
    } else if (!/^\s/.test(after)) continue
    isNamed = true
    if (!selector.matches(labels)) continue
    const [value = ''] = rest.trim().split(/\s+/)
    const number = value === '' ? Number.NaN : Number(value)
    if (!Number.isFinite(number)) throw new AnswerError(`${location} is ${kindOf(value)}, not a number`)
    return number
  }
  throw new AnswerError(isNamed ? `value ${location} not found` : `metric '${selector.name}' not found`)
}
