// Who carries requests in the gateway's tables of cases: the checks with real parts run the same cases with HAProxy.

export type DataPlane = 'builtin' | 'haproxy'

export const triedDataPlane: DataPlane = process.env['BALLAST_TEST_DATA_PLANE'] === 'haproxy' ? 'haproxy' : 'builtin'
export const isByHaproxy = triedDataPlane === 'haproxy'
