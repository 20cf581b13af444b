// In which form an answer is given: the object, a table for people, metadata alone; JSON or YAML.
import { StatusError, statusBody } from '#kube/status.ts'

export interface AnswerForm {
  readonly shape: 'object' | 'table' | 'metadata'
  /** `v1` or `v1beta1` of meta.k8s.io, for tables and metadata. */
  readonly version: string
  readonly encoding: 'json' | 'yaml'
}

interface MediaRange {
  readonly type: string
  readonly parameters: Readonly<Record<string, string>>
}

/** The media ranges of an Accept header, in order. */
export function mediaRanges(accept: string): readonly MediaRange[] {
  return accept.split(',').flatMap(part => {
    const [type = '', ...pairs] = part.split(';').map(piece => piece.trim())
    if (type === '') return []
    const parameters: Record<string, string> = {}
    for (const pair of pairs) {
      const equals = pair.indexOf('=')
      if (equals > 0) parameters[pair.slice(0, equals)] = pair.slice(equals + 1)
    }
    return [{ type: type.toLowerCase(), parameters }]
  })
}

/** The first acceptable form. @throws StatusError 406 when there is none. */
export function answerForm(accept: string | undefined): AnswerForm {
  if (accept === undefined || accept.trim() === '') return { shape: 'object', version: 'v1', encoding: 'json' }
  for (const range of mediaRanges(accept)) {
    const encoding = encodingOf(range.type)
    if (encoding === undefined) continue
    const { as, v } = range.parameters
    if (as === undefined) return { shape: 'object', version: 'v1', encoding }
    if (range.parameters['g'] !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) continue
    if (as === 'Table') return { shape: 'table', version: v, encoding }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { shape: 'metadata', version: v, encoding }
  }
  throw notAcceptable()
}

function encodingOf(type: string): 'json' | 'yaml' | undefined {
  if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json'
  return type === 'application/yaml' ? 'yaml' : undefined
}

function notAcceptable(): StatusError {
  const message =
    'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf'
  return new StatusError(statusBody(406, message, 'NotAcceptable'))
}
