// Who makes a request to a server of ours, and what became of each way to prove it.

export interface Caller {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** `absent`: this way was not tried. `failed`: it was, and in vain: such a caller is never taken for an anonymous one. */
export type Proof =
  | { readonly kind: 'caller'; readonly caller: Caller }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly why: string }

export const absent: Proof = { kind: 'absent' }

const authenticated = 'system:authenticated'
const unauthenticated = 'system:unauthenticated'

export const anonymous: Caller = { name: 'system:anonymous', groups: [unauthenticated], extra: {} }

/** With the group that all have whose credentials were good. */
export function asAuthenticated(caller: Caller): Caller {
  const isKnown =
    caller.name === anonymous.name || caller.groups.includes(authenticated) || caller.groups.includes(unauthenticated)
  return isKnown ? caller : { ...caller, groups: [...caller.groups, authenticated] }
}
