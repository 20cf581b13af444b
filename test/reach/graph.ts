// What a check depends on: the files that it imports, directly or not, the programs that it starts and the files that it reads, found by
// the names that stand in the source. Where a name leads to a folder, all of the folder counts: rather too much than too little.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { parseSync } from 'oxc-parser'
import { resolveImport } from '../../scripts/check/structure.ts'

/** Files that everything depends on. */
const everybodys = ['package-lock.json', 'package.json', 'tsconfig.json']
/** Folders that no check reads and that may be there or not. */
const passing = new Set(['node_modules', '.git', '.ballast', 'dist'])

interface Links {
  /** Other sources, from the root. */
  readonly sources: readonly string[]
  /** Files and folders that are read, from the root. */
  readonly inputs: readonly string[]
}

export class ReachGraph {
  readonly #root: string
  readonly #links = new Map<string, Links>()
  readonly #hashes = new Map<string, string>()
  readonly #folders = new Map<string, readonly string[]>()

  constructor(root: string) {
    this.#root = root
  }

  /** Every file that a check whose sources are `entries` depends on, as paths from the root, sorted. */
  filesOf(entries: readonly string[]): readonly string[] {
    const found = new Set<string>(everybodys)
    const seen = new Set<string>()
    const left = [...entries]
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      if (seen.has(path)) continue
      seen.add(path)
      found.add(path)
      const { sources, inputs } = this.#linksOf(path)
      left.push(...sources)
      for (const input of inputs) for (const file of this.#filesBelow(input)) found.add(file)
    }
    return [...found].toSorted()
  }

  /** One hash of the content of all of them, and of the machine that runs them. */
  hashOf(files: readonly string[]): string {
    const hash = createHash('sha256').update(`${process.version} ${process.platform} ${process.arch}\n`)
    for (const path of files) hash.update(`${path} ${this.#contentHash(path)}\n`)
    return hash.digest('hex')
  }

  #contentHash(path: string): string {
    const known = this.#hashes.get(path)
    if (known !== undefined) return known
    const hash = createHash('sha256')
      .update(readFileSync(join(this.#root, path)))
      .digest('hex')
    this.#hashes.set(path, hash)
    return hash
  }

  #filesBelow(path: string): readonly string[] {
    if (statSync(join(this.#root, path)).isFile()) return [path]
    const known = this.#folders.get(path)
    if (known !== undefined) return known
    const files = readdirSync(join(this.#root, path), { withFileTypes: true })
      .filter(entry => !passing.has(entry.name))
      .flatMap(entry => {
        const below = join(path, entry.name)
        if (entry.isDirectory()) return this.#filesBelow(below)
        return entry.isFile() ? [below] : []
      })
    this.#folders.set(path, files)
    return files
  }

  #linksOf(path: string): Links {
    const known = this.#links.get(path)
    if (known !== undefined) return known
    const links = /\.[cm]?[jt]sx?$/.test(path) ? this.#readLinks(path) : { sources: [], inputs: [] }
    this.#links.set(path, links)
    return links
  }

  #readLinks(path: string): Links {
    const text = readFileSync(join(this.#root, path), 'utf8')
    const sources = importsOf(path, text).flatMap(specifier => {
      const target = resolveImport(path, specifier)
      return target !== undefined && this.#isFile(target) ? [target] : []
    })
    const inputs: string[] = []
    for (const named of namedPaths(path, text)) {
      if (!existsSync(join(this.#root, named))) continue
      // A program that is started is followed like an import.
      if (/\.[jt]s$/.test(named) && this.#isFile(named)) sources.push(named)
      else if (named === 'bin/ballast') sources.push('bin/installation.js', 'src/cli/main.ts')
      else inputs.push(named)
    }
    return { sources, inputs }
  }

  #isFile(path: string): boolean {
    return existsSync(join(this.#root, path)) && statSync(join(this.#root, path)).isFile()
  }
}

/** What a file imports at run time; types vanish. */
function importsOf(path: string, text: string): readonly string[] {
  const { module } = parseSync(path, text)
  const whole = (specifier: string) => specifier.replaceAll(/^['"`]|['"`]$/g, '')
  return [
    ...module.staticImports
      .filter(({ entries }) => entries.length === 0 || entries.some(({ isType }) => !isType))
      .map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) => (moduleRequest === null || isType ? [] : [moduleRequest.value])),
    ),
    ...module.dynamicImports.map(({ moduleRequest }) => whole(text.slice(moduleRequest.start, moduleRequest.end))),
  ]
}

const besideThis = /join\(\s*import\.meta\.dirname((?:\s*,\s*(?:'[^'\n]*'|`[^`\n]*`))*)/g
const byAddress = /new URL\(\s*['"`]([^'"`\n]*)['"`]\s*,\s*import\.meta\.url/g
const piece = /'([^'\n]*)'|`([^`\n]*)`/g
const fromRoot =
  /['"`]((?:\.\.?\/)*(?:deploy|docs|examples)(?:\/[^'"`\n$ ]*)?|(?:\.\.?\/)*(?:bin|bench|scripts|src|test)\/[^'"`\n$ ]*|[A-Z]+\.md)['"`$]/g

/** Paths from the root that the text of `path` names, whether they are there or not; the root itself is none. */
function namedPaths(path: string, text: string): readonly string[] {
  const here = dirname(path)
  const found = new Set<string>()
  const add = (named: string) => {
    const plain = named.replace(/\/$/, '')
    // The namespace `test` and the like are no folders, and who reads all of a room names more than the room.
    if (!plain.startsWith('..') && !['', '.', 'bench', 'scripts', 'src', 'test'].includes(plain)) found.add(plain)
  }
  const known = (literal: string) => literal.split('${', 1)[0] ?? ''
  for (const [, pieces = ''] of text.matchAll(besideThis)) {
    const literals = [...pieces.matchAll(piece)].map(([, plain, template]) => plain ?? template ?? '')
    const open = literals.findIndex(literal => literal.includes('${'))
    const last = open < 0 ? undefined : known(literals[open] ?? '')
    const parts = open < 0 ? literals : [...literals.slice(0, open), last?.slice(0, last.lastIndexOf('/') + 1) ?? '']
    add(join(here, ...parts))
  }
  for (const [, literal = ''] of text.matchAll(byAddress)) {
    const start = known(literal)
    add(join(here, start === literal ? start : start.slice(0, start.lastIndexOf('/') + 1)))
  }
  // Product code names no file by its way from the root; what it holds of words such as `test` means something else.
  if (!path.startsWith('src/') || path.includes('.test.'))
    for (const [, literal = ''] of text.matchAll(fromRoot)) add(join(literal.replaceAll(/(\.\.?\/)+/g, '')))
  return [...found]
}

/** `path` as seen from `root`, with `/`. */
export function fromRootOf(root: string, path: string): string {
  return relative(root, path).replaceAll('\\', '/')
}
