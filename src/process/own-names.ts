// What Ballast's own accounts and namespace are called unless an installer says otherwise.

export const controllerAccount = 'ballast-controller'
/** The Lease under which one controller leads. */
export const controllerLease = 'ballast-controller'
/** An account and its Service. */
export const apiserverAccount = 'ballast-apiserver'
export const gatewayAccount = 'ballast-gateway'
export const ballastNamespace = 'ballast-system'
