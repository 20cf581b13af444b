// What Ballast's own account and namespace are called unless an installer says otherwise.

export const controllerAccount = 'ballast-controller'
export const ballastNamespace = 'ballast-system'
/** Where the mirror of each node serves health and metrics, unless its configuration says otherwise. */
export const mirrorMetricsPort = 29_997
