// The parts of a repository that are nobody's concern: what git ignores, what was put away, and what a tool has yet to fill in.

/** Folders that hold what was taken out of use, by their names. */
const archive = /^[._-]?(archived?|archives|attic|graveyard|trash|deprecated)$/i

/** Is a folder of this name put away? */
export const isArchive = (name: string): boolean => archive.test(name)

/** Rules of one `.gitignore`, with the folder that it lies in (from the repository's root; the root is empty). */
export interface IgnoreFile {
  readonly folder: string
  readonly rules: readonly IgnoreRule[]
}

interface IgnoreRule {
  readonly pattern: RegExp
  readonly isAgain: boolean
  readonly isForFolders: boolean
}

const mostRules = 2_000
const longestRule = 500

/** Reads a `.gitignore` as gitignore(5) has it; rules past the limits are passed over. */
export function ignoreFile(folder: string, text: string): IgnoreFile {
  const rules = text
    .split(/\r?\n/)
    .map(line => line.replace(/(?<!\\)\s+$/, ''))
    .filter(line => line !== '' && !line.startsWith('#') && line.length <= longestRule)
    .slice(0, mostRules)
  return { folder, rules: rules.map(ignoreRule) }
}

function ignoreRule(line: string): IgnoreRule {
  const isAgain = line.startsWith('!')
  const written = line.replace(/^!/, '').replace(/^\\(?=[#!])/, '')
  const isForFolders = written.endsWith('/')
  const path = written.replace(/\/$/, '')
  const isAnchored = path.includes('/')
  const body = globSource(path.replace(/^\//, ''))
  return { pattern: new RegExp(`^${isAnchored ? '' : '(?:.*/)?'}${body}$`), isAgain, isForFolders }
}

/** A glob as the source of a pattern: `*` and `?` stay within a folder, `**` crosses folders. */
function globSource(glob: string): string {
  const parts = glob.split(/(\*\*\/|\/\*\*$|\*+|\?|\[[^\]/]+\])/)
  return parts.map(part => globPart(part)).join('')
}

function globPart(part: string): string {
  if (part === '**/') return '(?:.*/)?'
  if (part === '/**') return '/.*'
  if (/^\*+$/.test(part)) return '[^/]*'
  if (part === '?') return '[^/]'
  if (/^\[[^\]/]+\]$/.test(part) && !/[\\[]/.test(part.slice(1, -1)) && isRange(part)) return part.replace(/^\[!/, '[^')
  return part.replaceAll(/\\(.)/g, '$1').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function isRange(text: string): boolean {
  return !/(.)-(.)/g.test(text) || [...text.matchAll(/(.)-(.)/g)].every(([, a = '', b = '']) => a <= b)
}

/** Does git pass `path` over? The last rule that fits decides, the files being in order from the root downwards. */
export function isIgnored(path: string, isFolder: boolean, files: readonly IgnoreFile[]): boolean {
  let isOut = false
  for (const { folder, rules } of files) {
    if (folder !== '' && !path.startsWith(`${folder}/`)) continue
    const inner = folder === '' ? path : path.slice(folder.length + 1)
    for (const { pattern, isAgain, isForFolders } of rules)
      if ((isFolder || !isForFolders) && pattern.test(inner)) isOut = !isAgain
  }
  return isOut
}

/** Is it a text that Jinja, Go or a shell fills in before it is YAML? */
export const isTemplateText = (text: string): boolean => /^\s*(\{\{|\{%)|[:-]\s+\{\{|\{%-?\s/m.test(text)

/** Flux and envsubst fill in `${NAME}` before anybody reads the file. */
export const hasVariables = (text: string): boolean => /\$\{[A-Za-z_][^}]*\}/.test(text)

/** A pattern of a name, of which variables stand for any text. */
export function nameWithVariables(name: string): RegExp {
  const parts = name.split(/\$\{[^}]*\}/)
  return new RegExp(`^${parts.map(part => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`)
}
