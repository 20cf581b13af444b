// Objects as the text of a file that `--cluster` reads: YAML documents, or one JSON List with an object a line.
import { stringify } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'

export type SnapshotFormat = 'yaml' | 'json'

/** Where a line is longer the document's texts are folded: a reader of YAML takes 3 MiB at most. */
const unfoldedLine = 1024 * 1024
const foldedWidth = 1000

/** Piece by piece, as the objects come. The same objects make the same bytes. */
export async function* snapshotText(objects: AsyncIterable<KubeObject>, format: SnapshotFormat): AsyncGenerator<string> {
  if (format === 'yaml') {
    for await (const object of objects) yield `---\n${yamlText(object)}`
    return
  }
  yield '{"apiVersion":"v1","kind":"List","metadata":{},"items":['
  let separator = '\n'
  for await (const object of objects) {
    yield `${separator}${JSON.stringify(object)}`
    separator = ',\n'
  }
  yield '\n]}\n'
}

function yamlText(object: KubeObject): string {
  const text = stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })
  const isLong = text.length > unfoldedLine && text.split('\n').some(line => line.length > unfoldedLine)
  return isLong ? stringify(object, { lineWidth: foldedWidth, aliasDuplicateObjects: false }) : text
}
