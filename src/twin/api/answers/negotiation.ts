// In which form an answer is given: the object, a table for people, metadata alone; JSON, YAML or protobuf.

import { StatusError, statusBody } from '#kube/objects/status.ts'
import { type AnswerFormat, contentTypes } from '#kube/server/answer-bodies.ts'
import { type AcceptedShape, formatOf, mediaRanges, shapeOf } from '#kube/server/media-types.ts'
import { groupVersion, type ResourceType } from '../resource-type.ts'
import { hasMessage } from './protobuf-object.ts'

type Answered = Pick<ResourceType, 'group' | 'version' | 'kind' | 'custom'>

export interface AnswerForm extends AcceptedShape {
  readonly encoding: AnswerFormat
}

/** The first acceptable form for objects of a type: tables have no message, nor have custom kinds. @throws StatusError 406 when there is none. */
export function answerForm(accept: string | undefined, type: Answered): AnswerForm {
  if (accept === undefined || accept.trim() === '') return { shape: 'object', version: 'v1', encoding: 'json' }
  for (const { encoding, shape } of forms(accept)) {
    if (encoding !== 'protobuf' || shape.shape === 'metadata' || (shape.shape === 'object' && isWritten(type)))
      return { ...shape, encoding }
  }
  throw notAcceptable(formats)
}

/** The same without protobuf, where the client takes another form: a long list costs less as text. */
export function textForm(accept: string | undefined, type: Answered): AnswerForm {
  const texts = (accept ?? '').split(',').filter(range => !range.includes('protobuf'))
  return answerForm(texts.length === 0 ? accept : texts.join(','), type)
}

/** The same for a watch, which is no document of YAML. */
export function watchForm(accept: string | undefined, type: Answered): AnswerForm {
  const form = answerForm(accept, type)
  if (form.encoding === 'yaml') throw notAcceptable(['json', 'protobuf'], ';stream=watch')
  return form
}

/** In what a Status is told: it has a message, whatever the kind that was asked for. */
export function statusEncoding(accept: string | undefined): AnswerFormat {
  return forms(accept ?? '').find(({ encoding, shape }) => encoding !== 'protobuf' || shape.shape !== 'table')?.encoding ?? 'json'
}

function forms(accept: string): readonly { readonly encoding: AnswerFormat; readonly shape: AcceptedShape }[] {
  return mediaRanges(accept).flatMap(range => {
    const [encoding, shape] = [formatOf(range.type), shapeOf(range)]
    return encoding === undefined || shape === undefined ? [] : [{ encoding, shape }]
  })
}

function isWritten({ group, version, kind, custom }: Answered): boolean {
  return custom === undefined && hasMessage(groupVersion(group, version), kind)
}

const formats: readonly AnswerFormat[] = ['json', 'yaml', 'protobuf']

function notAcceptable(formats: readonly AnswerFormat[], parameter = ''): StatusError {
  const types = formats.map(format => contentTypes[format] + parameter)
  return new StatusError(statusBody(406, `only the following media types are accepted: ${types.join(', ')}`, 'NotAcceptable'))
}
