// The commands that README and docs show, as a shell would read them.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)

/** README and all pages of docs, CONTRIBUTING and the like, from the project's root. */
export const pages = globSync(['*.md', 'docs/*.md'], { cwd: root }).toSorted()
export const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')

export interface Sample {
  /** `docs/twin.md:12` */
  readonly place: string
  readonly page: string
  readonly line: string
  /** The program first: `ballast` or `npm`. */
  readonly words: readonly string[]
  /** True where a pipe leads into it, or its output into a file or another program. */
  readonly isPiped: boolean
  /** What the page shows below a block that has this command alone: a block without a language, or one of any that follows at once. */
  readonly output?: string
}

/** Every use of `ballast` and `npm` in the shell samples of a page. A line of one command alone may show its output in the block below. */
export function samplesOf(page: string, text: string): Sample[] {
  const found: Sample[] = []
  for (const block of text.matchAll(/^```sh\n([\s\S]*?)^```$(?:(\n+)```(\w*)\n([\s\S]*?)^```$)?/gm)) {
    const [whole, body = '', gap, language, shown] = block
    const lines = body.trimEnd().split('\n')
    const first = text.slice(0, block.index + whole.indexOf(body)).split('\n').length
    for (const [at, line] of lines.entries()) {
      const parts = pipeline(line)
      for (const words of parts) {
        const [program = '', ...rest] = words.filter((word, index) => index > 0 || !/^\w+=/.test(word))
        const name = program.replace(/^bin\//, '')
        if (name !== 'ballast' && name !== 'npm') continue
        found.push({
          place: `${page}:${first + at}`,
          page,
          line,
          words: [name, ...rest.filter(word => word !== '')],
          isPiped: parts.length > 1 || /(^|\s)>/.test(line.replaceAll(/'[^']*'|"[^"]*"/g, '')),
          ...(lines.length === 1 && shown !== undefined && (language === '' || gap === '\n') ? { output: shown } : {}),
        })
      }
    }
  }
  return found
}

/** The programs of a line with their words, by the rules of a shell as far as samples use them. Variables stay as they are written. */
export function pipeline(line: string): string[][] {
  const parts: string[][] = [[]]
  for (const [, quoted, marked, plain, sign] of line.matchAll(
    /'([^']*)'|"([^"]*)"|([^\s'"|;&<>#]+(?:'[^']*')?)|([|;&<>]+|#.*)/g,
  )) {
    if (sign?.startsWith('#')) break
    const last = parts.at(-1)
    if (sign !== undefined) parts.push(/[<>]/.test(sign) ? ['>'] : [])
    else last?.push(quoted ?? marked ?? plain?.replaceAll("'", '') ?? '')
  }
  // A line may begin with variables for one command: POD_NAME=one ballast ….
  return parts.map(words => words.slice(words.findIndex(word => !/^[A-Z_]+=/.test(word))))
}

/** Whether a program printed what a page shows: a line of `...` stands for any lines, `...` at a line's end for its rest. */
export function showsOutput(shown: string, printed: string): boolean {
  const pattern = shown
    .trimEnd()
    .split('\n')
    .map(line => (line.trim() === '...' ? '(?:.*\\n)*?' : `${literal(line).replace(/\\\.\\\.\\\.$/, '.*')}\\n`))
    .join('')
  return new RegExp(`^${pattern}$`).test(`${printed.trimEnd()}\n`)
}

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
