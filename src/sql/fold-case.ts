/**
 * Lower case as Postgres folds keywords and setting names: ASCII letters only. `toLowerCase` would
 * also turn some other characters into ASCII letters (the Kelvin sign into `k`), and so see one
 * name where the server sees two.
 */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
