/** What a repository says of itself to butlerfs, beside butler.yaml or _mapper: names, definitions of dataset types, and of Gen2 the templates of its files. */
export const repositoryFile = 'butlerfs.yaml';
