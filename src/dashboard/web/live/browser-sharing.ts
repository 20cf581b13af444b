// Lock and channel of a browser. On plain HTTP from another machine there are no locks: then each tab has a stream of its own.
import { onHost } from '../frame/base-path.ts'
import type { Channel, Lock, SharingOptions, TabMessage } from './sharing.ts'

const name = `ballast stream ${onHost('/')}`

function browserChannel(): Channel {
  const channel = new BroadcastChannel(name)
  return {
    post: message => channel.postMessage(message),
    listen: handler => channel.addEventListener('message', ({ data }: MessageEvent<TabMessage>) => handler(data)),
  }
}

const browserLock: Lock = {
  take(held) {
    const giving = new AbortController()
    const { promise: givenBack, resolve } = Promise.withResolvers<void>()
    giving.signal.addEventListener('abort', () => resolve())
    const holding = navigator.locks.request(name, { signal: giving.signal }, () => {
      held()
      return givenBack
    })
    // Given back before it was this tab's turn.
    holding.catch(error => {
      if (!giving.signal.aborted) throw error
    })
    return () => giving.abort()
  },
}

/** What this browser shares a stream by; undefined where it has none of that. */
export function sharedBetweenTabs(): SharingOptions['between'] {
  const canShare = globalThis.isSecureContext && 'locks' in navigator && 'BroadcastChannel' in globalThis
  return canShare ? { channel: browserChannel(), lock: browserLock } : undefined
}
