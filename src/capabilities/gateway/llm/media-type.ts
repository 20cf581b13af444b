// Types of content as headers give them.

/** Whether a Content-Type is `type`, whatever its parameters: `application/json; charset=utf-8` is `application/json`. */
export function isMediaType(contentType: string | undefined, type: string): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === type
}
