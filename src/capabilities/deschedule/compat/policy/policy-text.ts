// The text of a policy as a value: YAML as upstream reads it (1.1: `yes` is true), and with it JSON. Repeated keys are errors.
import { LineCounter, parseAllDocuments, type Tags } from 'yaml'
import type { Problem } from '#kube/problem.ts'

/** A ConfigMap holds no more. */
const largestPolicyBytes = 1_048_576

/** Aliases that a policy may have altogether: more is an attack. */
const mostAliases = 100

type PolicyText =
  | {
      readonly ok: true
      readonly value: unknown
      /** What else the text has and nobody reads: further documents. */
      readonly ignored: readonly string[]
    }
  | { readonly ok: false; readonly problem: Problem }

/** The first document of `text`, as upstream takes it. */
export function parsePolicyText(text: string, file: string): PolicyText {
  const refused = (why: string, found = ''): PolicyText => ({
    ok: false,
    problem: {
      code: 'policy-yaml',
      where: file,
      found,
      expected: 'one YAML or JSON document with a DeschedulerPolicy',
      message: `failed decoding descheduler's policy config "${file}": ${why}`,
    },
  })
  const bytes = Buffer.byteLength(text)
  if (bytes > largestPolicyBytes) return refused(`longer than ${largestPolicyBytes} bytes`, `${bytes} bytes`)
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, {
    version: '1.1',
    customTags: withoutTimes,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: 'silent',
  })
  const document = 'empty' in documents ? undefined : documents[0]
  if (document === undefined) return refused('the file is empty')
  const [fault] = document.errors
  if (fault !== undefined) {
    const { line } = lines.linePos(fault.pos[0])
    return refused(`yaml: line ${line}: ${fault.message}`, text.split('\n')[line - 1]?.trim())
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: mostAliases })
    return { ok: true, value, ignored: documents.length > 1 ? ['document 2'] : [] }
  } catch (error) {
    // What `yaml` throws for aliases, unknown ones and too many, and for merges of what is no map.
    if (error instanceof Error) return refused(`yaml: ${error.message}`)
    throw error
  }
}

/** Dates and `12:30` stay texts, as upstream has them. */
function withoutTimes(tags: Tags): Tags {
  return tags.filter(tag => typeof tag === 'string' || (tag.tag !== timestampTag && !('format' in tag && tag.format === 'TIME')))
}

const timestampTag = 'tag:yaml.org,2002:timestamp'
