// Lists as text, piece by piece: a list of 150,000 pods is a gigabyte, and no turn of the event loop is to belong to it alone.
import { stringify } from 'yaml'
import { breather } from '#kube/controllers/breather.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, jsonText, jsonTree } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { TwinRequest } from '../request.ts'
import { apiVersionOf, type ResourceType } from '../resource-type.ts'
import { isForPeople, itemOf, metadataOnly } from './answer.ts'
import type { AnswerForm } from './negotiation.ts'
import { columnsOf, rowOf, type TableOptions, tableHead } from './table.ts'
import { inVersion } from './versions.ts'

/** How much text is handed on at once. */
const pieceLength = 256 * 1024

/** What a list is without its items, the name of these, and what stands for an object among them. */
export interface ListShape {
  readonly head: Draft
  readonly itemsField: 'items' | 'rows'
  itemOf(object: KubeObject): object
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
        itemOf: object => rowOf(columns, inVersion(type, object), options, nowMs),
      }
    }
    case 'metadata':
      return {
        head: { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}`, metadata },
        itemsField: 'items',
        itemOf: object => metadataOnly(object, form.version),
      }
    case 'object': {
      const isBuiltIn = type.custom === undefined
      return {
        head: { kind: `${type.kind}List`, apiVersion: apiVersionOf(type), metadata },
        itemsField: 'items',
        itemOf: object => (isBuiltIn ? itemOf(inVersion(type, object)) : inVersion(type, object)),
      }
    }
  }
}

/** The whole list as JSON. */
export function listJson({ head, itemsField, itemOf }: ListShape, items: Iterable<KubeObject>): string {
  return `${JSON.stringify(head).slice(0, -1)},"${itemsField}":[${Array.from(items, object => jsonText(itemOf(object))).join(',')}]}`
}

/** The list in pieces, between which others have their turn. The cluster's time stands still until the end, as for any request. */
export async function* listPieces(
  server: ApiServer,
  shape: ListShape,
  items: Iterable<KubeObject>,
  form: { readonly encoding: 'json' | 'yaml' },
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

function writerOf(
  { head, itemsField, itemOf }: ListShape,
  { encoding }: { readonly encoding: 'json' | 'yaml' },
  request: TwinRequest,
): ListWriter {
  if (encoding === 'yaml') {
    const name = `${itemsField}:\n`
    return {
      start: stringify(head) + name,
      between: '',
      end: '',
      // Parts that objects share would come out as aliases: a tree of its own has none.
      itemText: object => stringify({ [itemsField]: [jsonTree(jsonText(itemOf(object)))] }).slice(name.length),
    }
  }
  const plainHead = JSON.stringify(head).slice(0, -1)
  if (!isForPeople(request))
    return { start: `${plainHead},"${itemsField}":[`, between: ',', end: ']}\n', itemText: object => jsonText(itemOf(object)) }
  const prettyHead = JSON.stringify(head, null, 2).slice(0, -2)
  // Each item is written where it stands in a list, and taken out: so it is indented in one go.
  const before = `{\n  "${itemsField}": [\n    `
  const after = '\n  ]\n}'
  return {
    start: `${prettyHead},${before.slice(1)}`,
    between: ',\n    ',
    end: `${after}\n`,
    itemText: object => jsonText({ [itemsField]: [itemOf(object)] }, 2).slice(before.length, -after.length),
  }
}
