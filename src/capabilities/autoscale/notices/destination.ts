// Where events may go.
import { at } from '#kube/objects/object-fields.ts'

/** Why nobody is told by this source; undefined: its receiver is. Upstream takes the first of two, too. */
export function destinationProblem(source: unknown): string | undefined {
  const destination = at(source, 'spec', 'destination')
  if (at(destination, 'http') !== undefined) return undefined
  return at(destination, 'azureEventGridTopic') === undefined
    ? 'spec.destination names no receiver: expected http'
    : 'spec.destination.azureEventGridTopic: Ballast does not send to Azure Event Grid yet, use http'
}
