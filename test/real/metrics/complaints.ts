// What a log complains of, in the lines of Go's programs and of those in their place, or as JSON.

/** What has nothing to do with what is served: certificates made for a day, and a descheduler built without its version. */
const ofThisMachine = ['the certificate expires at', 'failed to convert Descheduler minor version']

/** Lines that warn, or tell of an error. */
export function complaints(lines: readonly string[]): readonly string[] {
  const warns = /^[EWF]\d{4} |"level":"(?:warn|error|fatal)"/
  return lines.filter(line => warns.test(line) && !ofThisMachine.some(words => line.includes(words)))
}
