// The codes that Ballast's own errors carry, found in the source: the literals of `code` in what looks like a Problem, a finding
// of the plan's verifier or a reason, and what is given to the functions that make those.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filesBelow, identifier, isNode, type SyntaxNode, syntaxOf, visit } from './check/source-tree.ts'
import { resolveImport } from './check/structure.ts'

/** What carries the code, told by the fields beside it. */
export type Form = 'problem' | 'finding' | 'reason'

export interface UsedCode {
  readonly code: string
  readonly form: Form
  /** `kube`, `capabilities/deschedule`. */
  readonly room: string
}

/** A function that makes an error of the code it is given. */
interface Maker {
  readonly position: number
  readonly form: Form
}

interface Source {
  readonly path: string
  readonly program: SyntaxNode
  readonly makers: ReadonlyMap<string, Maker>
}

/** Every use of a code in `src`, in the order of the files. @throws Error naming a file where a code cannot be read off the source. */
export function usedCodes(root: string): readonly UsedCode[] {
  const sources = filesBelow(root, 'src')
    .filter(path => !/\.test(-d)?\.ts$|\/testdata\/|-for-tests\.ts$/.test(path))
    .map(path => [path, readFileSync(join(root, path), 'utf8')] as const)
  return codesIn(sources)
}

/** As `usedCodes`, of given files: path and text. */
export function codesIn(files: readonly (readonly [path: string, text: string])[]): readonly UsedCode[] {
  const sources = files.map(([path, text]): Source => {
    const program = syntaxOf(path, text)
    return { path, program, makers: makersIn(program) }
  })
  const makers = new Map(sources.map(source => [source.path, source.makers]))
  return sources.flatMap(source => codesOfFile(source, makers))
}

function codesOfFile(
  { path, program, makers }: Source,
  makersOf: ReadonlyMap<string, ReadonlyMap<string, Maker>>,
): readonly UsedCode[] {
  const [, first = '', second = ''] = path.split('/')
  const room = first === 'capabilities' ? `${first}/${second}` : first
  const constants = new Map<string, SyntaxNode>()
  const known = new Map(makers)
  visit(program, node => {
    const name = identifier(node['id'])
    if (node.type === 'VariableDeclarator' && name !== undefined && isNode(node['init'])) constants.set(name, node['init'])
    if (node.type !== 'ImportDeclaration' || !isNode(node['source'])) return
    const theirs = makersOf.get(resolveImport(path, String(node['source']['value'])) ?? '')
    for (const specifier of nodesIn(node['specifiers'])) {
      const maker = theirs?.get(identifier(specifier['imported']) ?? '')
      if (maker !== undefined) known.set(identifier(specifier['local']) ?? '', maker)
    }
  })
  const used: UsedCode[] = []
  visit(program, node => {
    const carried = carriedBy(node, known)
    if (carried === undefined) return
    const codes = literalsOf(carried.value, constants)
    // Statuses of Kubernetes have a number as code beside their message.
    if (codes === undefined && carried.form === 'reason') return
    if (codes === undefined) throw new Error(`${path}: a code that is neither a text, a choice of texts nor passed on`)
    // `custom` is zod's own word for an issue that a schema's refinement names.
    for (const code of codes) if (code !== 'custom') used.push({ code, form: carried.form, room })
  })
  return used
}

/** The expression that says a code in this node, where there is one. */
function carriedBy(
  node: SyntaxNode,
  makers: ReadonlyMap<string, Maker>,
): { readonly value: SyntaxNode; readonly form: Form } | undefined {
  if (node.type === 'ObjectExpression') {
    const form = formOf(node)
    const value = property(node, 'code')
    return form === undefined || value === undefined ? undefined : { value, form }
  }
  if (node.type !== 'CallExpression') return undefined
  const maker = makers.get(identifier(node['callee']) ?? '')
  const value = maker === undefined ? undefined : nodesIn(node['arguments'])[maker.position]
  return maker === undefined || value === undefined ? undefined : { value, form: maker.form }
}

function formOf(object: SyntaxNode): Form | undefined {
  const has = (name: string) => property(object, name) !== undefined
  if (!has('code') || has('status') || has('reason')) return undefined
  if (has('field')) return 'finding'
  if (has('expected') || has('where')) return 'problem'
  return has('message') ? 'reason' : undefined
}

function property(object: SyntaxNode, name: string): SyntaxNode | undefined {
  const found = nodesIn(object['properties']).find(part => identifier(part['key']) === name)?.['value']
  return isNode(found) ? found : undefined
}

function nodesIn(value: unknown): readonly SyntaxNode[] {
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** Functions with a parameter `code` that they put into an error, by name. */
function makersIn(program: SyntaxNode): Map<string, Maker> {
  const makers = new Map<string, Maker>()
  visit(program, node => {
    const name = identifier(node['id'])
    const made = node.type === 'VariableDeclarator' ? node['init'] : node.type === 'FunctionDeclaration' ? node : undefined
    if (name === undefined || !isNode(made) || !Array.isArray(made['params'])) return
    const position = nodesIn(made['params']).findIndex(parameter => identifier(parameter) === 'code')
    if (position < 0 || !isNode(made['body'])) return
    visit(made['body'], inner => {
      const form = inner.type === 'ObjectExpression' ? formOf(inner) : undefined
      if (form !== undefined) makers.set(name, { position, form })
    })
  })
  return makers
}

/** The texts that an expression may be; none where it passes a code on, `undefined` where that cannot be told. */
function literalsOf(value: SyntaxNode, constants: ReadonlyMap<string, SyntaxNode>): readonly string[] | undefined {
  const name = identifier(value)
  const constant = constants.get(name ?? '')
  if (constant !== undefined && constant !== value) return literalsOf(constant, constants)
  if (name === 'code') return []
  switch (value.type) {
    case 'Literal':
      return typeof value['value'] === 'string' ? [value['value']] : []
    case 'ConditionalExpression': {
      const sides = [value['consequent'], value['alternate']].map(side =>
        isNode(side) ? literalsOf(side, constants) : undefined,
      )
      return sides.every(side => side !== undefined) ? sides.flat() : undefined
    }
    case 'TSAsExpression':
      return isNode(value['expression']) ? literalsOf(value['expression'], constants) : undefined
    case 'MemberExpression':
      return identifier(value['property']) === 'code' ? [] : choicesOf(constants.get(identifier(value['object']) ?? ''))
    default:
      return undefined
  }
}

/** The values of a table of texts. */
function choicesOf(table: SyntaxNode | undefined): readonly string[] | undefined {
  const object = table?.type === 'TSAsExpression' ? table['expression'] : table
  if (!isNode(object) || object.type !== 'ObjectExpression') return undefined
  return nodesIn(object['properties']).flatMap(({ value }) =>
    isNode(value) && typeof value['value'] === 'string' ? [value['value']] : [],
  )
}
