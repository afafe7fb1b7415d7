package account

// NewAPIKeyText makes the text of a key that no store has.
var NewAPIKeyText = newAPIKeyText
