// In which form an answer is given: the object, a table for people, metadata alone; JSON or YAML.

import { StatusError, statusBody } from '#kube/objects/status.ts'
import { type AcceptedShape, formatOf, mediaRanges, shapeOf } from '#kube/server/media-types.ts'

export interface AnswerForm extends AcceptedShape {
  readonly encoding: 'json' | 'yaml'
}

/** The first acceptable form. @throws StatusError 406 when there is none. */
export function answerForm(accept: string | undefined): AnswerForm {
  if (accept === undefined || accept.trim() === '') return { shape: 'object', version: 'v1', encoding: 'json' }
  for (const range of mediaRanges(accept)) {
    const encoding = encodingOf(range.type)
    if (encoding === undefined) continue
    const shape = shapeOf(range)
    if (shape !== undefined) return { ...shape, encoding }
  }
  throw notAcceptable()
}

function encodingOf(type: string): 'json' | 'yaml' | undefined {
  const format = formatOf(type)
  return format === 'protobuf' ? undefined : format
}

function notAcceptable(): StatusError {
  const message =
    'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf'
  return new StatusError(statusBody(406, message, 'NotAcceptable'))
}
