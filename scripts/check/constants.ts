// The numbers that files give names to: constants at the top of a file, and the fields of constant objects.
import { identifier, isNode, type SyntaxNode } from './source-tree.ts'

/** `keptMs` → 172800000, `moveLimits.tries` → 10; what is no sum, product or power of numbers is left out. */
export function constantsOf(program: SyntaxNode): ReadonlyMap<string, number> {
  const known = new Map<string, number>()
  for (const statement of nodesIn(program['body'])) {
    const declaration = isNode(statement['declaration']) ? statement['declaration'] : statement
    if (declaration.type !== 'VariableDeclaration' || declaration['kind'] !== 'const') continue
    for (const { id, init } of nodesIn(declaration['declarations'])) {
      const name = identifier(id)
      if (name !== undefined && isNode(init)) note(name, init, known)
    }
  }
  return known
}

function note(name: string, value: SyntaxNode, known: Map<string, number>): void {
  if (value.type === 'TSAsExpression' && isNode(value['expression'])) {
    note(name, value['expression'], known)
    return
  }
  if (value.type === 'ObjectExpression') {
    for (const property of nodesIn(value['properties'])) {
      const field = identifier(property['key'])
      if (field !== undefined && isNode(property['value'])) note(`${name}.${field}`, property['value'], known)
    }
    return
  }
  const number = numberOf(value, known)
  if (number !== undefined) known.set(name, number)
}

function numberOf(value: unknown, known: ReadonlyMap<string, number>): number | undefined {
  if (!isNode(value)) return undefined
  switch (value.type) {
    case 'Literal':
      return typeof value['value'] === 'number' ? value['value'] : undefined
    case 'Identifier':
      return known.get(identifier(value) ?? '')
    case 'BinaryExpression': {
      const left = numberOf(value['left'], known)
      const right = numberOf(value['right'], known)
      if (left === undefined || right === undefined) return undefined
      switch (value['operator']) {
        case '+':
          return left + right
        case '-':
          return left - right
        case '*':
          return left * right
        case '/':
          return left / right
        case '**':
          return left ** right
      }
      return undefined
    }
    default:
      return undefined
  }
}

function nodesIn(value: unknown): readonly SyntaxNode[] {
  return Array.isArray(value) ? value.filter(isNode) : []
}
