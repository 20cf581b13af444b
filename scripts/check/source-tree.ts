// Reads the project's TypeScript as the checks see it: imports, literals and calls of each file.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { type Comment, parseSync } from 'oxc-parser'

export interface Import {
  readonly specifier: string
  readonly line: number
  /** As the imported file exports them; `*` where the whole module is taken. */
  readonly names: readonly string[]
  /** `import type`: nothing of it is left when it runs. */
  readonly isTypeOnly: boolean
  /** Loaded when it is asked for, `import()`, or its type alone, `typeof import()`: no part of what loads first. */
  readonly isLazy: boolean
}

export interface Found {
  readonly text: string
  readonly line: number
}

export interface SourceFile {
  /** From the project's root, with `/`: `src/kube/clock.ts`. */
  readonly path: string
  readonly lines: number
  readonly imports: readonly Import[]
  readonly exports: readonly Found[]
  /** Member expressions and calls as written, without arguments: `Date.now`, `setTimeout`, `new Date`. */
  readonly uses: readonly Found[]
  /** String and template literals. */
  readonly literals: readonly Found[]
  /** Lines of comments, without their signs. */
  readonly comments: readonly Found[]
  readonly text: string
}

/** A node of the syntax tree, as ESTree names it. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly [field: string]: unknown
}

export const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'

/** Calls `enter` for `node` and everything below it, in the order of the text. */
export function visit(node: SyntaxNode, enter: (node: SyntaxNode) => void): void {
  enter(node)
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) visit(item, enter)
    } else if (isNode(value)) visit(value, enter)
  }
}

/** An identifier's name; `undefined` for any other node. */
export const identifier = (value: unknown): string | undefined =>
  isNode(value) && value.type === 'Identifier' ? String(value['name']) : undefined
const nameOf = (value: unknown): string => identifier(value) ?? (isNode(value) ? String(value['value'] ?? '') : '')

/** A file's syntax tree. @throws Error naming the file when it does not parse. */
export function syntaxOf(path: string, text: string): SyntaxNode {
  return parsed(path, text).program
}

function parsed(path: string, text: string): { readonly program: SyntaxNode; readonly comments: readonly Comment[] } {
  const { program, comments, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  if (!isNode(program)) throw new Error(`${path}: no program`)
  return { program, comments }
}

/** One file, read for what the checks ask. @throws Error naming the file when it does not parse. */
export function parseSource(path: string, text: string): SourceFile {
  const { program, comments: blocks } = parsed(path, text)
  const lineAt = (offset: number) => text.slice(0, offset).split('\n').length
  const imports: Import[] = []
  const exports: Found[] = []
  const uses: Found[] = []
  const literals: Found[] = []
  visit(program, node => {
    const line = lineAt(node.start)
    switch (node.type) {
      case 'ImportDeclaration': {
        const specifiers = node['specifiers'] as readonly SyntaxNode[]
        imports.push({
          specifier: nameOf(node['source']),
          line,
          isLazy: false,
          names: specifiers.map(specifier =>
            specifier.type === 'ImportNamespaceSpecifier' ? '*' : nameOf(specifier['imported']),
          ),
          isTypeOnly: node['importKind'] === 'type',
        })
        break
      }
      case 'ImportExpression':
      case 'TSImportType':
        imports.push({
          specifier: nameOf(node['source']),
          line,
          names: ['*'],
          isTypeOnly: node.type === 'TSImportType',
          isLazy: true,
        })
        break
      case 'ExportNamedDeclaration': {
        if (isNode(node['source']))
          imports.push({
            specifier: nameOf(node['source']),
            line,
            isLazy: false,
            names: (node['specifiers'] as readonly SyntaxNode[]).map(specifier => nameOf(specifier['local'])),
            isTypeOnly: node['exportKind'] === 'type',
          })
        for (const specifier of (node['specifiers'] ?? []) as readonly SyntaxNode[])
          exports.push({ text: nameOf(specifier['exported']), line })
        const declaration = node['declaration']
        if (isNode(declaration)) {
          if (Array.isArray(declaration['declarations'])) {
            for (const declarator of declaration['declarations'] as readonly SyntaxNode[])
              exports.push({ text: identifier(declarator['id']) ?? '', line })
          } else exports.push({ text: identifier(declaration['id']) ?? '', line })
        }
        break
      }
      case 'MemberExpression': {
        const object = identifier(node['object'])
        const property = identifier(node['property'])
        if (object !== undefined && property !== undefined) uses.push({ text: `${object}.${property}`, line })
        break
      }
      case 'CallExpression': {
        const callee = identifier(node['callee'])
        if (callee !== undefined) uses.push({ text: callee, line })
        break
      }
      case 'NewExpression': {
        const callee = identifier(node['callee'])
        if (callee !== undefined && (node['arguments'] as readonly unknown[]).length === 0)
          uses.push({ text: `new ${callee}`, line })
        break
      }
      case 'Literal':
        if (typeof node['value'] === 'string') literals.push({ text: node['value'], line })
        break
      case 'TemplateElement':
        literals.push({ text: String((node['value'] as { raw?: string }).raw ?? ''), line })
        break
    }
  })
  const comments = blocks.flatMap(({ value, start }) => {
    const first = lineAt(start)
    return value.split('\n').map((line, at) => ({ text: line.replace(/^[\s*]+/, ''), line: first + at }))
  })
  return { path, lines: text.split('\n').length, imports, exports, uses, literals, comments, text }
}

/** Every TypeScript file below `folder`, `.tsx` too, in name order. */
export function readTree(root: string, folder: string): SourceFile[] {
  return filesBelow(root, folder).map(path => parseSource(path, readFileSync(join(root, path), 'utf8')))
}

/** The paths of `readTree`, from the project's root. */
export function filesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map(entry => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter(path => !path.includes('node_modules/'))
    .sort()
}
