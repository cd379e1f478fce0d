#pragma once

#include "apps/casefile/dossier.hpp"
#include "apps/casefile/dossier_service.hpp"
#include "apps/casefile/http/request.hpp"

namespace casefile {

// What a request carries, read and checked. Each throws ApiError (422) that names everything that is wrong at once.
// Afterwards user_id has its table ("user:KEY") and texts are within their bounds, counted in characters.

NewDossier read_new_dossier(http::Request const&);
DossierChanges read_dossier_changes(http::Request const&);
DossierPage read_dossier_page(http::Request const&);

}  // namespace casefile
