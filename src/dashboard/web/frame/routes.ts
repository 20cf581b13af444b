// Which address shows which page: pure, so that a table can test it.

export type PageName =
  | 'overview'
  | 'plans'
  | 'plan'
  | 'replay'
  | 'permits'
  | 'workloads'
  | 'workload'
  | 'node'
  | 'images'
  | 'rebalancing'
  | 'twin'
  | 'settings'
  | 'help'
  | 'capability'
  | 'not-found'

export interface Address {
  readonly page: PageName
  /** Parts of the path by name, decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Below the base path. */
  readonly path: string
}

const routes: readonly (readonly [pattern: string, page: PageName])[] = [
  ['/', 'overview'],
  ['/plan', 'plans'],
  ['/plan/:name', 'plan'],
  ['/plan/:name/replay', 'replay'],
  ['/permits', 'permits'],
  ['/workload', 'workloads'],
  ['/workloads', 'workloads'],
  ['/workload/:namespace/:kind/:name', 'workload'],
  ['/node/:name', 'node'],
  ['/images', 'images'],
  ['/rebalancing', 'rebalancing'],
  ['/twin', 'twin'],
  ['/settings', 'settings'],
  ['/help', 'help'],
  // What the server has no page for it says itself.
  ['/:name', 'capability'],
]

/** The page of a path below the base path, with its query without `?`. A pod's address shows the pod as the workload that it stands for. */
export function addressOf(path: string, search: string): Address {
  const query = new URLSearchParams(search)
  const parts = partsOf(path)
  if (parts !== undefined) {
    if (parts.length === 3 && parts[0] === 'pod')
      return { page: 'workload', params: { namespace: parts[1] ?? '', kind: 'Pod', name: parts[2] ?? '' }, query, path }
    for (const [pattern, page] of routes) {
      const params = matched(pattern, parts)
      if (params !== undefined) return { page, params, query, path }
    }
  }
  return { page: 'not-found', params: {}, query, path }
}

/** The path without its slashes, each part decoded; undefined where it cannot be decoded. */
function partsOf(path: string): readonly string[] | undefined {
  try {
    // A workload of the whole cluster has no namespace: a part in the middle may be empty.
    return path
      .replace(/^\/|\/$/g, '')
      .split('/')
      .map(decodeURIComponent)
  } catch {
    // A percent sign that encodes nothing: such an address has no page.
    return undefined
  }
}

function matched(pattern: string, parts: readonly string[]): Readonly<Record<string, string>> | undefined {
  const wanted = pattern.slice(1).split('/')
  if (wanted.length !== parts.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const given = parts[index] ?? ''
    if (part.startsWith(':')) params[part.slice(1)] = given
    else if (part !== given) return undefined
  }
  return params
}
