// What a printed line makes kubectl send: read as a POSIX shell and kubectl read it, by code that shares nothing with who printed it.

interface Sent {
  readonly verb: 'patch' | 'create' | 'delete'
  readonly kind: string
  readonly namespace: string | undefined
  readonly name: string
  /** The merged body of a patch, or the object of a create. */
  readonly body: unknown
}

/** @throws Error where the line is none of those that the page prints. */
export function meaningOf(line: string): Sent {
  const words = shellWords(line)
  const pipe = words.findIndex(word => word === '|')
  if (pipe > 0) return createdBy(words, pipe)
  const [program, ...rest] = words
  if (program !== 'kubectl') throw new Error(`no kubectl in ${line}`)
  const namespace = rest[0] === '-n' ? rest[1] : undefined
  const [verb, kind = '', name = '', ...args] = namespace === undefined ? rest : rest.slice(2)
  const of = { kind, namespace, name }
  switch (verb) {
    case 'delete':
      return { verb, ...of, body: undefined }
    case 'patch': {
      const [type, flag, text = ''] = args
      if (type !== '--type=merge' || flag !== '-p' || args.length !== 3) throw new Error(`not understood: ${line}`)
      return { verb, ...of, body: JSON.parse(text) }
    }
    case 'annotate':
      return { verb: 'patch', ...of, body: { metadata: { annotations: annotationsOf(args) } } }
    default:
      throw new Error(`kubectl ${verb} is not understood`)
  }
}

function createdBy(words: readonly string[], pipe: number): Sent {
  const [echo, text = '', ...more] = words.slice(0, pipe)
  if (echo !== 'echo' || more.length > 0 || words.slice(pipe + 1).join(' ') !== 'kubectl create -f -')
    throw new Error(`not understood: ${words.join(' ')}`)
  // A POSIX echo may read backslashes; what is printed has none that it would.
  const body: unknown = JSON.parse(text)
  if (typeof body !== 'object' || body === null || !('kind' in body) || !('metadata' in body)) throw new Error('no object')
  const { metadata } = body
  const name = typeof metadata === 'object' && metadata !== null && 'name' in metadata ? String(metadata.name) : ''
  return { verb: 'create', kind: String(body.kind).toLowerCase(), namespace: undefined, name, body }
}

/** As `ParsePairs` of kubectl: the first `=` parts, a last `-` without one takes away. */
function annotationsOf(args: readonly string[]): Record<string, string | null> {
  const result: Record<string, string | null> = {}
  for (const arg of args) {
    if (arg === '--overwrite') continue
    const at = arg.indexOf('=')
    if (at > 0) result[arg.slice(0, at)] = arg.slice(at + 1)
    else if (arg.endsWith('-')) result[arg.slice(0, -1)] = null
    else throw new Error(`no annotation: ${arg}`)
  }
  return result
}

/** Words of one command line: single quotes, backslashes outside of them, nothing that expands. */
function shellWords(line: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at)
    if (character === "'") {
      const end = line.indexOf("'", at + 1)
      if (end < 0) throw new Error(`an open quote: ${line}`)
      word = (word ?? '') + line.slice(at + 1, end)
      at = end
    } else if (character === '\\') {
      at++
      word = (word ?? '') + line.charAt(at)
    } else if (character === ' ') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (character === '|' && word === undefined) words.push('|')
    else if (/[A-Za-z0-9_./:@%+,=-]/.test(character)) word = (word ?? '') + character
    else throw new Error(`a shell would read ${character} in its own way: ${line}`)
  }
  if (word !== undefined) words.push(word)
  return words
}
