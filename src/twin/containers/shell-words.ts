// The lines of the twin's shell, read: quotes, variables, redirections, and which command follows which.

export interface ShellCommand {
  /** It runs where the one before ended so; undefined: always. */
  readonly after: 'success' | 'failure' | undefined
  readonly words: readonly string[]
  readonly redirects: readonly {
    readonly from: 'stdin' | 'stdout' | 'stderr' | 'both'
    readonly isAppended: boolean
    readonly path: string
  }[]
}

/** What the shell does not have, or cannot read. `code` is what it ends with. */
export class ShellFault extends Error {
  override readonly name = 'ShellFault'
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

const mostWords = 4_096

type Token = { readonly kind: 'word'; readonly parts: readonly Part[] } | { readonly kind: 'operator'; readonly text: string }
type Part = { readonly text: string } | { readonly variable: string; readonly isQuoted: boolean }

/** The commands of a text; variables are looked up when one runs. @throws ShellFault */
export function shellCommands(text: string): readonly ((value: (name: string) => string) => ShellCommand)[] {
  const groups: { readonly after: ShellCommand['after']; readonly tokens: Token[] }[] = [{ after: undefined, tokens: [] }]
  for (const token of tokensOf(text)) {
    if (token.kind === 'operator' && !/[<>]/.test(token.text)) {
      const after = token.text === '&&' ? 'success' : token.text === '||' ? 'failure' : undefined
      if (after !== undefined && groups.at(-1)?.tokens.length === 0)
        throw new ShellFault(2, `syntax error: unexpected "${token.text}"`)
      groups.push({ after, tokens: [] })
    } else groups.at(-1)?.tokens.push(token)
  }
  return groups
    .filter(({ tokens }) => tokens.length > 0)
    .map(
      ({ after, tokens }) =>
        value =>
          commandOf(after, tokens, value),
    )
}

function commandOf(after: ShellCommand['after'], tokens: readonly Token[], value: (name: string) => string): ShellCommand {
  const words: string[] = []
  const redirects: ShellCommand['redirects'][number][] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]
    if (token?.kind === 'word') words.push(...expanded(token.parts, value))
    if (token?.kind !== 'operator') continue
    const target = tokens[++at]
    if (target?.kind !== 'word') throw new ShellFault(2, 'syntax error: a redirection needs a file')
    const path = expanded(target.parts, value).join(' ')
    const from = token.text.startsWith('<')
      ? 'stdin'
      : token.text.startsWith('2')
        ? 'stderr'
        : token.text.startsWith('&')
          ? 'both'
          : 'stdout'
    redirects.push({ from, isAppended: token.text.endsWith('>>'), path })
  }
  return { after, words, redirects }
}

/** Unquoted variables fall into words at spaces. */
function expanded(parts: readonly Part[], value: (name: string) => string): readonly string[] {
  let words: string[] = []
  let isWord = false
  let current = ''
  for (const part of parts) {
    if ('text' in part || part.isQuoted) {
      current += 'text' in part ? part.text : value(part.variable)
      isWord = true
      continue
    }
    const [first = '', ...rest] = value(part.variable).split(/\s+/)
    current += first
    if (first !== '') isWord = true
    for (const next of rest) {
      if (isWord) words = [...words, current]
      current = next
      isWord = next !== ''
    }
  }
  return isWord ? [...words, current] : words
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  let parts: Part[] | undefined
  const add = (part: Part) => {
    parts = [...(parts ?? []), part]
  }
  const end = () => {
    if (parts !== undefined) tokens.push({ kind: 'word', parts })
    parts = undefined
    if (tokens.length > mostWords) throw new ShellFault(2, `more than ${mostWords} words`)
  }
  let rest = text
  let isQuoted = false
  while (rest !== '') {
    const missing =
      /^(\$\(|`|\$\(\()/.exec(rest) ?? (isQuoted ? null : /^(\|(?!\|)|&(?![&>])|[(){}](?=\s|$)|2>&1|<<|>&)/.exec(rest))
    if (missing !== null) throw new ShellFault(127, `${missing[0]} is not in the twin's shell`)
    const [whole, braced, plain] = /^\$(?:\{([A-Za-z_]\w*|\?)\}|([A-Za-z_]\w*|\?))/.exec(rest) ?? []
    const operator = isQuoted ? undefined : /^(&&|\|\||;|\n|&>>?|2>>?|>>?|<)/.exec(rest)?.[0]
    const single = isQuoted ? null : /^'([^']*)'/.exec(rest)
    if (whole !== undefined) {
      add({ variable: braced ?? plain ?? '', isQuoted })
      rest = rest.slice(whole.length)
    } else if (single !== null) {
      add({ text: single[1] ?? '' })
      rest = rest.slice(single[0].length)
    } else if (operator !== undefined && !(operator.startsWith('2') && parts !== undefined)) {
      end()
      tokens.push({ kind: 'operator', text: operator })
      rest = rest.slice(operator.length)
    } else if (rest.startsWith('"')) {
      isQuoted = !isQuoted
      add({ text: '' })
      rest = rest.slice(1)
    } else if (rest.startsWith('\\') && rest.length > 1) {
      const next = rest.charAt(1)
      add({ text: isQuoted && !'"\\$`'.includes(next) ? `\\${next}` : next })
      rest = rest.slice(2)
    } else if (!isQuoted && /^[ \t\r]/.test(rest)) {
      end()
      rest = rest.slice(1)
    } else if (!isQuoted && rest.startsWith('#') && parts === undefined) rest = rest.replace(/^[^\n]*/, '')
    else if (!isQuoted && rest.startsWith("'")) throw new ShellFault(2, 'syntax error: a quote is not closed')
    else {
      const [plainText = rest.charAt(0)] = (isQuoted ? /^[^"\\$`]+/ : /^[^\s"'\\$`;&|<>(){}]+/).exec(rest) ?? []
      add({ text: plainText })
      rest = rest.slice(plainText.length)
    }
  }
  if (isQuoted) throw new ShellFault(2, 'syntax error: a quote is not closed')
  end()
  return tokens
}
