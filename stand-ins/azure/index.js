// In place of @azure/identity, @azure/core-auth and @azure/keyvault-keys, which tedious loads and needs only to sign in to Azure: 48 packages.
// Triggers that ask for such a login are refused before, in capabilities/autoscale/scalers/sql/mssql-place.ts.
module.exports = {}
