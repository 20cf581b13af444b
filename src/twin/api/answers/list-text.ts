// Lists as text, piece by piece: a list of 150,000 pods is a gigabyte, and no turn of the event loop is to belong to it alone.
import { stringify } from 'yaml'
import { breather } from '#kube/controllers/breather.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, jsonText, jsonTree } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { TwinRequest } from '../request.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'
import { isForPeople, itemJsonOf, metadataOnly } from './answer.ts'
import type { AnswerForm } from './negotiation.ts'
import { columnsOf, rowOf, type TableOptions, tableHead } from './table.ts'
import { inVersion } from './versions.ts'

/** How much text is handed on at once. */
const pieceLength = 256 * 1024

/** What a list is without its items, the name of these, and the JSON of one. */
interface ListShape {
  readonly head: Draft
  readonly itemsField: 'items' | 'rows'
  itemText(object: KubeObject): string
}

/** The shape of a list in the form asked for. */
export function listShape(
  server: ApiServer,
  type: ResourceType,
  metadata: Draft,
  form: AnswerForm,
  options: TableOptions,
): ListShape {
  switch (form.shape) {
    case 'table': {
      const columns = columnsOf(type)
      const nowMs = server.clock.now()
      return {
        head: tableHead(columns, options, metadata),
        itemsField: 'rows',
        itemText: object => jsonText(rowOf(columns, inVersion(type, object), options, nowMs)),
      }
    }
    case 'metadata':
      return {
        head: { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}`, metadata },
        itemsField: 'items',
        itemText: object => jsonText(metadataOnly(object, form.version)),
      }
    case 'object': {
      const itemText = type.custom === undefined ? itemJsonOf : jsonText
      return {
        head: { kind: `${type.kind}List`, apiVersion: apiVersionOf(type), metadata },
        itemsField: 'items',
        itemText: object => itemText(inVersion(type, object)),
      }
    }
  }
}

/** The whole list as JSON. */
export function listJson({ head, itemsField, itemText }: ListShape, items: Iterable<KubeObject>): string {
  return `${JSON.stringify(head).slice(0, -1)},"${itemsField}":[${Array.from(items, object => itemText(object)).join(',')}]}`
}

/** The list in pieces, between which others have their turn. The cluster's time stands still until the end, as for any request. */
export async function* listPieces(
  server: ApiServer,
  shape: ListShape,
  items: Iterable<KubeObject>,
  form: Pick<AnswerForm, 'encoding'>,
  request: TwinRequest,
): AsyncGenerator<Uint8Array> {
  using _held = server.clock.hold()
  const { start, between, end, itemText } = writerOf(shape, form, request)
  const breathe = breather(server.wire)
  let texts: string[] = [start]
  let length = 0
  let isFirst = true
  for (const object of items) {
    const text = itemText(object)
    texts.push(isFirst ? text : between + text)
    isFirst = false
    length += text.length
    if (length >= pieceLength) {
      yield Buffer.from(texts.join(''))
      texts = []
      length = 0
    }
    await breathe()
  }
  texts.push(end)
  yield Buffer.from(texts.join(''))
}

interface ListWriter {
  readonly start: string
  readonly between: string
  readonly end: string
  itemText(object: KubeObject): string
}

function writerOf(shape: ListShape, { encoding }: Pick<AnswerForm, 'encoding'>, request: TwinRequest): ListWriter {
  const { head, itemsField, itemText } = shape
  if (encoding === 'yaml') {
    const name = `${itemsField}:\n`
    return {
      start: stringify(head) + name,
      between: '',
      end: '',
      itemText: object => stringify({ [itemsField]: [jsonTree(itemText(object))] }).slice(name.length),
    }
  }
  const plainHead = JSON.stringify(head).slice(0, -1)
  if (!isForPeople(request)) return { start: `${plainHead},"${itemsField}":[`, between: ',', end: ']}\n', itemText }
  const pretty = JSON.stringify(head, null, 2).slice(0, -2)
  return {
    start: `${pretty},\n  "${itemsField}": [\n    `,
    between: ',\n    ',
    end: '\n  ]\n}\n',
    itemText: object => jsonText(jsonTree(itemText(object)), 2).replaceAll('\n', '\n    '),
  }
}
