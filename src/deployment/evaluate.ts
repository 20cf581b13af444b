// A tree filled in: what `ballast manifests` prints.
import { createHash } from 'node:crypto'
import { dirname } from 'node:path/posix'
import { InputError } from '#kube/problem.ts'
import { goJson, goPrettyJson } from './go-json.ts'
import { nameOf, type Release, standardLabels, type Values, valueAt } from './names.ts'
import { type Condition, type Fields, Hole, type ObjectTree, type Part, type Tree } from './tree.ts'

interface Filling {
  readonly values: Values
  readonly release: Release
}

interface Scope extends Filling {
  /** In a repetition: the member. */
  readonly item: unknown
}

/** The objects that a tree says with these values; none where its condition does not hold. @throws InputError for a template in a value that we do not know */
export function evaluate(tree: ObjectTree, filling: Filling): readonly unknown[] {
  if (tree.when !== undefined && !holds(tree.when, filling)) return []
  const members = tree.each === undefined ? [undefined] : listAt(filling.values, tree.each)
  return members.map(item => fieldsOf(tree.tree, { ...filling, item }))
}

function holds(condition: Condition, filling: Filling): boolean {
  const { values, release } = filling
  if ('on' in condition) return isSomething(valueAt(values, condition.on))
  if ('present' in condition) return (valueAt(values, condition.present) ?? undefined) !== undefined
  if ('has' in condition) return listAt(values, condition.has).includes(condition.value)
  if ('is' in condition) return valueAt(values, condition.is) === condition.value
  if ('says' in condition) return goJson(valueAt(values, condition.says)).includes(condition.value)
  if ('namespace' in condition) return nameOf('namespace', values, release) === condition.namespace
  if ('same' in condition) {
    const [a, b] = condition.same
    return nameOf(a, values, release) === nameOf(b, values, release)
  }
  if ('served' in condition) return release.served.has(condition.served)
  if ('not' in condition) return !holds(condition.not, filling)
  if ('all' in condition) return condition.all.every(inner => holds(inner, filling))
  return condition.any.some(inner => holds(inner, filling))
}

/** As templates have it. */
function isSomething(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0
  return Boolean(value)
}

function listAt(values: Values, path: string): readonly unknown[] {
  const found = valueAt(values, path)
  return Array.isArray(found) ? found : []
}

function fieldsOf(fields: Fields, scope: Scope): Readonly<Record<string, unknown>> {
  const result: Record<string, unknown> = {}
  for (const [key, tree] of Object.entries(fields)) {
    if (key.startsWith('...')) {
      Object.assign(result, spreadOf(tree, scope))
      continue
    }
    if (tree instanceof Hole) {
      const { of } = tree
      if (of.kind === 'when') {
        const [only] = of.trees
        if (only !== undefined && holds(of.condition, scope)) result[key] = filledTree(only, scope)
        continue
      }
      if (of.kind === 'block' && !isSomething(valueAt(scope.values, of.path))) continue
    }
    result[key] = filledTree(tree, scope)
  }
  return result
}

function spreadOf(tree: Tree, scope: Scope): object {
  if (tree instanceof Hole && tree.of.kind === 'when')
    return holds(tree.of.condition, scope) ? Object.assign({}, ...tree.of.trees.map(inner => filledTree(inner, scope))) : {}
  const found = filledTree(tree, scope)
  return typeof found === 'object' && found !== null ? found : {}
}

function filledTree(tree: Tree, scope: Scope): unknown {
  if (tree instanceof Hole) return holeOf(tree, scope)
  if (Array.isArray(tree)) return tree.flatMap((inner: Tree) => itemsOf(inner, scope))
  return typeof tree === 'object' ? fieldsOf(tree as Fields, scope) : tree
}

function itemsOf(tree: Tree, scope: Scope): readonly unknown[] {
  if (!(tree instanceof Hole)) return [filledTree(tree, scope)]
  const { of } = tree
  switch (of.kind) {
    case 'when':
      return holds(of.condition, scope) ? of.trees.flatMap(inner => itemsOf(inner, scope)) : []
    case 'each':
      return listAt(scope.values, of.path).flatMap(item => of.trees.flatMap(inner => itemsOf(inner, { ...scope, item })))
    case 'shared':
      return of.items.flatMap(inner => itemsOf(inner, scope))
    case 'block': {
      const found = filledTree(tree, scope)
      return Array.isArray(found) ? found : []
    }
    default:
      return [filledTree(tree, scope)]
  }
}

function holeOf({ of }: Hole, scope: Scope): unknown {
  const { values } = scope
  switch (of.kind) {
    case 'value':
      return valueAt(values, of.path)
    case 'block': {
      const found = valueAt(values, of.path)
      return of.templated ? filledIn(found, of.path, scope) : found
    }
    case 'text': {
      const said = of.parts.map(part => partOf(part, scope)).join('')
      return of.templated === true ? filledIn(said, pathOf(of.parts), scope) : said
    }
    case 'lines':
      return of.lines
        .filter(line => line.when === undefined || holds(line.when, scope))
        .map(line => `${line.text}${line.value === undefined ? '' : goJson(valueAt(values, line.value))}\n`)
        .join('')
    case 'document':
      return `${goPrettyJson(filledIn(valueAt(values, of.path), of.path, scope))}\n`
    case 'labels':
      return standardLabels(of.component, values, scope.release)
    case 'checksum':
      return createHash('sha256')
        .update(goJson(valueAt(values, of.path)))
        .digest('hex')
    default:
      throw new Error(`a ${of.kind} stands where one value is wanted`)
  }
}

function partOf(part: Part, { values, release, item }: Scope): string {
  if (typeof part === 'string') return part
  if ('named' in part) return nameOf(part.named, values, release)
  if ('directory' in part) return dirname(String(valueAt(values, part.directory)))
  if ('joined' in part) return listAt(values, part.joined).join(',')
  if ('value' in part) return String(valueAt(values, part.value))
  return String(part.item === '' ? item : valueAt({ item }, `item.${part.item}`))
}

function pathOf(parts: readonly Part[]): string {
  return parts.map(part => (typeof part === 'object' && 'value' in part ? part.value : '')).join('')
}

/** What users may say inside of values: these two, and no other template. */
const expressions: readonly (readonly [RegExp, (release: Release) => string])[] = [
  [/\{\{-?\s*\$?\.Release\.Namespace\s*-?\}\}/g, release => release.namespace],
  [/\{\{-?\s*\$?\.Release\.Name\s*-?\}\}/g, release => release.name],
]

function filledIn(found: unknown, path: string, scope: Scope): unknown {
  if (Array.isArray(found)) return found.map((inner, at) => filledIn(inner, `${path}[${at}]`, scope))
  if (typeof found === 'object' && found !== null)
    return Object.fromEntries(Object.entries(found).map(([key, inner]) => [key, filledIn(inner, `${path}.${key}`, scope)]))
  if (typeof found !== 'string') return found
  const filled = expressions.reduce((text, [pattern, say]) => text.replace(pattern, say(scope.release)), found)
  if (filled.includes('{{'))
    throw new InputError([
      {
        code: 'values-template',
        where: path,
        found,
        expected: 'no template but {{ .Release.Namespace }} and {{ .Release.Name }}; other templates are Helm’s alone',
      },
    ])
  return filled
}

/** Objects of the user's own, templates in them filled in. */
export function extraObjects({ values, release }: Filling): readonly unknown[] {
  return listAt(values, 'extraObjects').map((object, at) =>
    filledIn(object, `extraObjects[${at}]`, { values, release, item: undefined }),
  )
}
