// What the stream says, as the page takes it in: the events of the contract by their names, parsed.
import type { StreamEvents } from '../../contract.ts'

export type LiveMessage = {
  readonly [Name in keyof StreamEvents]: { readonly event: Name; readonly data: StreamEvents[Name] }
}[keyof StreamEvents]

const names: Readonly<Record<keyof StreamEvents, true>> = {
  hello: true,
  snapshot: true,
  delta: true,
  tick: true,
  resync: true,
  gone: true,
  bye: true,
}

/** An event of the stream; undefined for one that this page does not know: a newer server may say more. @throws SyntaxError for no JSON */
export function messageOf(name: string, data: string): LiveMessage | undefined {
  if (!Object.hasOwn(names, name)) return undefined
  // `hello` says by its schema whether this page understands the shapes that follow.
  return { event: name, data: JSON.parse(data) } as LiveMessage
}
