// Package spelling finds the word that somebody who misspelt it meant.
package spelling

// Nearest returns the first of the words that are nearest to a wrong one. It returns "" if even they differ from it by more
// than most bytes that would have to be added, removed or replaced.
func Nearest(wrong string, words []string, most int) string {
	best, least := "", most+1
	for _, word := range words {
		if longer := len(wrong) - len(word); max(longer, -longer) >= least {
			continue
		}
		if d := distance(wrong, word); d < least {
			best, least = word, d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
