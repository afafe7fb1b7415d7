// Where Doorward is. The same site as this page, on a host of its own.
export const doorward = "http://127.0.0.1:8080";
