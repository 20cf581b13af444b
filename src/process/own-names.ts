// What Ballast's own accounts and namespace are called unless an installer says otherwise.

export const controllerAccount = 'ballast-controller'
/** And its Service. */
export const apiserverAccount = 'ballast-apiserver'
export const gatewayAccount = 'ballast-gateway'
export const ballastNamespace = 'ballast-system'
