// A tree printed as a Helm template: each hole becomes an expression, and everything else stands as it is.
import { namedTemplate } from '../names.ts'
import { type Condition, type Fields, Hole, isFields, type Line, type ObjectTree, type Part, type Tree } from '../tree.ts'
import { fieldValue, scalarText } from '../yaml-text.ts'

type Shared = Map<string, string>

/** Where a text stands: how far it is indented, and whether it is inside of a repetition. */
interface Place {
  readonly indent: number
  readonly shared: Shared
}

/** The text of a chart's file: its objects, each behind its condition. What several objects share is added to `shared`. */
export function templateOf(trees: readonly ObjectTree[], shared: Shared): string {
  return trees
    .map(tree => {
      const body = `---\n${fieldLines(tree.tree, { indent: 0, shared })}`
      const repeated = tree.each === undefined ? body : `{{- range $item := ${pathOf(tree.each)} }}\n${body}{{- end }}\n`
      return tree.when === undefined ? repeated : `{{- if ${conditionText(tree.when)} }}\n${repeated}{{- end }}\n`
    })
    .join('')
}

const pathOf = (path: string) => `$.Values.${path}`
const pad = (indent: number) => ' '.repeat(indent)

/** The condition as a template says it, to stand after `if`. */
function conditionText(condition: Condition): string {
  if ('on' in condition) return pathOf(condition.on)
  if ('present' in condition) return `not (kindIs "invalid" ${pathOf(condition.present)})`
  if ('has' in condition) return `has ${JSON.stringify(condition.value)} ${pathOf(condition.has)}`
  if ('is' in condition) return `eq ${pathOf(condition.is)} ${JSON.stringify(condition.value)}`
  if ('says' in condition) return `contains ${JSON.stringify(condition.value)} (toJson ${pathOf(condition.says)})`
  if ('namespace' in condition) return `eq (include "ballast.namespace" $) ${JSON.stringify(condition.namespace)}`
  if ('same' in condition) return `eq ${condition.same.map(name => `(${namedTemplate(name)})`).join(' ')}`
  if ('served' in condition) return `$.Capabilities.APIVersions.Has ${JSON.stringify(condition.served)}`
  if ('not' in condition) return `not ${inParentheses(condition.not)}`
  const inner = 'all' in condition ? condition.all : condition.any
  return `${'all' in condition ? 'and' : 'or'} ${inner.map(inParentheses).join(' ')}`
}

function inParentheses(condition: Condition): string {
  return 'on' in condition ? conditionText(condition) : `(${conditionText(condition)})`
}

function fieldLines(fields: Fields, place: Place): string {
  return Object.entries(fields)
    .map(([key, tree]) => fieldText(key, tree, place))
    .join('')
}

function fieldText(key: string, tree: Tree, place: Place): string {
  if (key.startsWith('...')) return spreadText(tree, place)
  const head = `${pad(place.indent)}${scalarText(key)}:`
  if (tree instanceof Hole) {
    const { of } = tree
    if (of.kind === 'when') {
      const [only] = of.trees
      return only === undefined ? '' : guarded(of.condition, fieldText(key, only, place))
    }
    if (of.kind === 'block')
      return `{{- with ${pathOf(of.path)} }}\n${head}\n${yamlOf(of.templated, place.indent + 2)}{{- end }}\n`
    if (of.kind === 'lines') return `${head} |\n${of.lines.map(line => lineText(line, place.indent + 2)).join('')}`
    if (of.kind === 'document')
      return `${head} |\n{{- tpl (toYaml ${pathOf(of.path)}) $ | fromYaml | toPrettyJson | nindent ${place.indent + 2} }}\n`
    return `${head} ${scalarHole(tree)}\n`
  }
  return `${head}${nested(tree, place)}`
}

function nested(tree: Exclude<Tree, Hole>, place: Place): string {
  if (Array.isArray(tree)) {
    const list: readonly Tree[] = tree
    if (list.length === 0) return ' []\n'
    return `\n${list.map(inner => itemText(inner, { ...place, indent: place.indent + 2 })).join('')}`
  }
  if (isFields(tree)) {
    if (Object.keys(tree).length === 0) return ' {}\n'
    return `\n${fieldLines(tree, { ...place, indent: place.indent + 2 })}`
  }
  return constant(fieldValue(tree, place.indent))
}

/** What stands in the tree is no template, whatever it looks like. */
const constant = (text: string) => text.replaceAll('{{', '{{ "{{" }}')

function itemText(tree: Tree, place: Place): string {
  const { indent, shared } = place
  if (tree instanceof Hole) {
    const { of } = tree
    switch (of.kind) {
      case 'when':
        return guarded(of.condition, of.trees.map(inner => itemText(inner, place)).join(''))
      case 'each':
        return `{{- range $item := ${pathOf(of.path)} }}\n${of.trees.map(inner => itemText(inner, place)).join('')}{{- end }}\n`
      case 'block':
        return `{{- with ${pathOf(of.path)} }}\n${yamlOf(of.templated, indent)}{{- end }}\n`
      case 'shared':
        shared.set(of.name, of.items.map(inner => itemText(inner, { indent: 0, shared })).join(''))
        return `{{- include "ballast.${of.name}" $ | trim | nindent ${indent} }}\n`
      default:
        return `${pad(indent)}- ${scalarHole(tree)}\n`
    }
  }
  if (isFields(tree) && Object.keys(tree).length > 0) {
    const text = fieldLines(tree, { ...place, indent: indent + 2 })
    if (!text.startsWith(pad(indent + 2))) throw new Error('the first field of a list item cannot be one that may be left out')
    return `${pad(indent)}- ${text.slice(indent + 2)}`
  }
  if (Array.isArray(tree)) throw new Error('a list in a list is not printed')
  return `${pad(indent)}-${nested(tree, place)}`
}

function spreadText(tree: Tree, place: Place): string {
  if (isFields(tree)) return fieldLines(tree, place)
  if (tree instanceof Hole && tree.of.kind === 'block')
    return `{{- with ${pathOf(tree.of.path)} }}\n${yamlOf(tree.of.templated, place.indent)}{{- end }}\n`
  if (tree instanceof Hole && tree.of.kind === 'labels')
    return `{{- include "ballast.labels" (dict "root" $ "component" ${JSON.stringify(tree.of.component)}) | nindent ${place.indent} }}\n`
  if (tree instanceof Hole && tree.of.kind === 'when')
    return guarded(tree.of.condition, tree.of.trees.map(inner => spreadText(inner, place)).join(''))
  throw new Error('only a map can be spread among fields')
}

const guarded = (condition: Condition, body: string) => `{{- if ${conditionText(condition)} }}\n${body}{{- end }}\n`

/** The value of the enclosing `with`. */
const yamlOf = (templated: boolean, indent: number) =>
  `{{- ${templated ? 'tpl (toYaml .) $' : 'toYaml .'} | nindent ${indent} }}\n`

function lineText(line: Line, indent: number): string {
  const body = `${pad(indent)}${line.text}${line.value === undefined ? '' : `{{ ${pathOf(line.value)} | toJson }}`}\n`
  return line.when === undefined ? body : guarded(line.when, body)
}

function scalarHole({ of }: Hole): string {
  switch (of.kind) {
    case 'value':
      return `{{ ${pathOf(of.path)} | toJson }}`
    case 'checksum':
      return `{{ ${pathOf(of.path)} | toJson | sha256sum }}`
    case 'text': {
      if (of.templated === true) {
        const [only] = of.parts
        if (only === undefined || typeof only === 'string' || !('value' in only)) throw new Error('a templated text is one value')
        return `{{ tpl ${pathOf(only.value)} $ | toJson }}`
      }
      return `"${of.parts.map(partText).join('')}"`
    }
    default:
      throw new Error(`a ${of.kind} stands where one value is wanted`)
  }
}

function partText(part: Part): string {
  if (typeof part === 'string') return part
  if ('named' in part) return `{{ ${namedTemplate(part.named)} }}`
  if ('directory' in part) return `{{ dir ${pathOf(part.directory)} }}`
  if ('joined' in part) return `{{ join "," ${pathOf(part.joined)} }}`
  if ('value' in part) return `{{ ${pathOf(part.value)} }}`
  return part.item === '' ? '{{ $item }}' : `{{ $item.${part.item} }}`
}
