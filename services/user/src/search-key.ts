/** What a name is found by: lower case, and compatible characters (full width, ligatures) as their plain ones. */
export function searchKey(name: string): string {
  return name.normalize("NFKC").toLowerCase().trim();
}
