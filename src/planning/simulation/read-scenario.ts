// A scenario from the text of its file: what is wrong with it is said with line and path, all of it.

import { type Document, isMap, isNode, isPair, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Problem } from '#kube/problem.ts'
import {
  type Expectation,
  type Operation,
  operationNames,
  operationSchema,
  type Scenario,
  type ScenarioStep,
  scenarioSchema,
} from './scenario.ts'

type Path = readonly (string | number)[]
type Read = { readonly ok: true; readonly scenario: Scenario } | { readonly ok: false; readonly problems: readonly Problem[] }

const mostBytes = 8 * 1024 * 1024
const mostAliases = 100

/** `file` is what messages call it. */
export function readScenario(file: string, text: string): Read {
  if (text.length > mostBytes) {
    const found = `${text.length} characters`
    return refused([{ code: 'scenario-too-large', where: file, found, expected: `at most ${mostBytes}` }])
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const where = (path: Path): string => placeIn({ file, document, lines }, path)
  const syntax = document.errors.map(error => {
    const { line, col } = lines.linePos(error.pos[0])
    const found = text.slice(error.pos[0], error.pos[0] + 40).split('\n', 1)[0] ?? ''
    return { code: 'scenario-syntax', where: `${file}: line ${line} column ${col}`, found, expected: `YAML: ${error.message}` }
  })
  if (syntax.length > 0) return refused(syntax)
  const value = plainValue(document)
  if (!value.ok)
    return refused([
      {
        code: 'scenario-syntax',
        where: file,
        found: value.message,
        expected: 'YAML with aliases that resolve, and merges (<<) of maps',
      },
    ])
  return checked(value.value, where)
}

function refused(problems: readonly Problem[]): Read {
  return { ok: false, problems }
}

function plainValue(
  document: Document,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string } {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: mostAliases }) }
  } catch (error) {
    if (error instanceof Error) return { ok: false, message: error.message }
    throw error
  }
}

function checked(value: unknown, where: Scenario['where']): Read {
  const parsed = scenarioSchema.safeParse(value)
  const problems: Problem[] = parsed.success ? [] : parsed.error.issues.flatMap(issue => problemsOf(issue, value, where))
  const steps: ScenarioStep[] = []
  for (const [at, given] of stepsOf(value).entries()) {
    const step = stepOf(given, at, { where, problems })
    if (step !== undefined) steps.push(step)
  }
  if (!parsed.success || problems.length > 0) return refused(problems)
  const { steps: _given, ...scenario } = parsed.data
  return { ok: true, scenario: { ...scenario, steps, where } }
}

function stepsOf(value: unknown): readonly unknown[] {
  const steps = fieldOf(value, 'steps')
  return Array.isArray(steps) ? steps : []
}

function fieldOf(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}

/** One step with its one operation. What is wrong inside of the operation the schema of the whole has said already. */
function stepOf(
  given: unknown,
  at: number,
  { where, problems }: { readonly where: Scenario['where']; readonly problems: Problem[] },
): ScenarioStep | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined
  const names = operationNames.filter(name => Object.hasOwn(given, name))
  const [name, second] = names
  if (name === undefined || second !== undefined) {
    const unknown = Object.keys(given).some(
      key => key !== 'say' && key !== 'expect' && !operationNames.some(known => known === key),
    )
    // An unknown word has been named already; that it is no operation follows from it.
    if (name === undefined && unknown) return undefined
    const found = names.length === 0 ? 'no operation' : names.join(' and ')
    problems.push({
      code: 'scenario-step',
      where: where(['steps', at]),
      found,
      expected: `exactly one of ${operationNames.join(', ')}`,
    })
    return undefined
  }
  const parsed = operationSchema(name).safeParse(fieldOf(given, name))
  const expected = scenarioSchema.shape.expect.safeParse(fieldOf(given, 'expect'))
  if (!parsed.success || !expected.success) return undefined
  const say = fieldOf(given, 'say')
  return {
    // The schema of `name` made these fields.
    operation: { op: name, ...parsed.data } as Operation,
    expect: expected.data satisfies readonly Expectation[],
    ...(typeof say === 'string' ? { say } : {}),
  }
}

interface Issue {
  readonly code: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
  readonly errors?: readonly (readonly Issue[])[]
}

function problemsOf(issue: Issue, value: unknown, where: Scenario['where']): Problem[] {
  const path = issue.path.map(key => (typeof key === 'number' ? key : String(key)))
  if (issue.code === 'unrecognized_keys' && issue.keys !== undefined) {
    const isStep = path.length === 2 && path[0] === 'steps'
    return issue.keys.map(key => ({
      code: isStep ? 'scenario-step' : 'scenario-field',
      where: where([...path, key]),
      found: key,
      expected: isStep ? `an operation: ${nearest(key, operationNames)}` : 'a field that there is',
    }))
  }
  const branch = issue.errors === undefined ? undefined : closest(issue.errors)
  if (branch !== undefined)
    return branch.flatMap(inner => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, value, where))
  const found = JSON.stringify(path.reduce<unknown>(fieldOf, value)) ?? 'nothing'
  const expected = issue.message.replace(/^Invalid (input|option): expected /, '')
  return [{ code: 'scenario-field', where: where(path), found, expected }]
}

/** The reading of a value with the fewest faults: faults inside it come before being another kind of thing. */
function closest(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const badness = (issues: readonly Issue[]) =>
    issues.reduce(
      (sum, issue) =>
        sum + (issue.code === 'unrecognized_keys' ? 10 * (issue.keys?.length ?? 1) : issue.path.length === 0 ? 20 : 1),
      0,
    )
  return branches.toSorted((a, b) => badness(a) - badness(b))[0]
}

/** The names, the one that is most alike first. */
function nearest(found: string, names: readonly string[]): string {
  const low = found.toLowerCase()
  const likeness = (name: string) => {
    const other = name.toLowerCase()
    let shared = 0
    while (shared < Math.min(low.length, other.length) && low[shared] === other[shared]) shared++
    return shared
  }
  return names.toSorted((a, b) => likeness(b) - likeness(a)).join(', ')
}

interface Source {
  readonly file: string
  readonly document: Document
  readonly lines: LineCounter
}

/** Where a field stands; where it does not, its nearest parent that does. */
function placeIn({ file, document, lines }: Source, path: Path): string {
  let node: unknown = document.contents
  let offset = isNode(node) ? node.range?.[0] : undefined
  for (const key of path) {
    const next = isMap(node)
      ? node.items.find(pair => isPair(pair) && keyText(pair.key) === String(key))
      : isSeq(node)
        ? node.items[Number(key)]
        : undefined
    if (next === undefined) break
    const at = isPair(next) ? next.key : next
    if (isNode(at) && at.range) offset = at.range[0]
    node = isPair(next) ? next.value : next
  }
  const name = path.reduce<string>(
    (sum, key) => (typeof key === 'number' ? `${sum}[${key}]` : sum === '' ? key : `${sum}.${key}`),
    '',
  )
  const line = offset === undefined ? '' : `: line ${lines.linePos(offset).line}`
  return `${file}${line}${name === '' ? '' : `: ${name}`}`
}

function keyText(key: unknown): string {
  return typeof key === 'object' && key !== null && 'value' in key ? String(key.value) : String(key)
}
