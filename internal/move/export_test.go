package move

// MovedColumns returns the columns of the tables that Move copies.
func MovedColumns() map[string][]string {
	tables := map[string][]string{}
	for _, t := range moved {
		for _, c := range t.all() {
			tables[t.name] = append(tables[t.name], c.name)
		}
	}
	return tables
}
