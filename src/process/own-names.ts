// What Ballast's own account and namespace are called unless an installer says otherwise.

export const controllerAccount = 'ballast-controller'
export const ballastNamespace = 'ballast-system'
